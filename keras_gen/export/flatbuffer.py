"""LiteRT files that hold each weight once, in as few bits as requested.

The converter stores what each use of a weight needs: the transposed kernel of a product, the kernel of a masked product
with its zeros, the block that a loop goes through. Here one of these is kept, and the others are computed from it when
the file runs, by operators that every LiteRT interpreter has. The kept ones are then rounded, wherever they are used.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Code, Type = schema.BuiltinOperator, schema.TensorType

#: Number of entries below which a constant is left unchanged: its operators would take as much space.
FEWEST_ENTRIES = 256

#: Root mean square of the rounding errors, relative to that of the numbers, above which a constant is not rounded,
#: because one scale does not fit it.
MOST_ERROR = 0.05


class File:
    """A LiteRT file in memory, whose constants can be changed.

    Args:
        content: the file.
    """

    def __init__(self, content: bytes):
        self.size = len(content)
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self.first_operators = [[] for _ in self.model.subgraphs]

    def content(self) -> bytes:
        """Returns the file without internal names, with constants at multiples of 16 bytes, as kernels require."""
        for subgraph, operators in zip(self.model.subgraphs, self.first_operators, strict=True):
            subgraph.operators = [*operators, *subgraph.operators]
            operators.clear()
            for index, tensor in enumerate(subgraph.tensors):
                if index not in subgraph.inputs and index not in subgraph.outputs:
                    tensor.name = None
        self.drop_unused_buffers()
        builder = CompactBuilder(self.size)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def drop_unused_buffers(self) -> None:
        """Renumbers the buffers; all tensors without a constant share the empty one at the start."""
        tensors = [tensor for subgraph in self.model.subgraphs for tensor in subgraph.tensors]
        holders = [*tensors, *(self.model.metadata or [])]
        filled = sorted({holder.buffer for holder in holders if self.model.buffers[holder.buffer].data is not None})
        numbers = {old: new for new, old in enumerate(filled, start=1)}
        for holder in holders:
            holder.buffer = numbers.get(holder.buffer, 0)
        self.model.buffers = [schema.BufferT(), *(self.model.buffers[old] for old in filled)]

    def float_constants(self) -> dict[int, np.ndarray]:
        """Returns the float32 constants that are worth processing: index of the buffer to array."""
        constants = {}
        for _, _, tensor in self.tensors():
            data = self.model.buffers[tensor.buffer].data
            if tensor.type == Type.FLOAT32 and data is not None and len(data) >= 4 * FEWEST_ENTRIES:
                constants.setdefault(tensor.buffer, data.view(np.float32).reshape(tensor.shape))
        return constants

    def tensors(self) -> Iterator[tuple[int, int, schema.TensorT]]:
        """Yields the index of a subgraph, the index of a tensor in it, and the tensor."""
        for place, subgraph in enumerate(self.model.subgraphs):
            for index, tensor in enumerate(subgraph.tensors):
                yield place, index, tensor

    def loops(self) -> set[int]:
        """Returns the indices of subgraphs that are run repeatedly."""
        operators = [operator for subgraph in self.model.subgraphs for operator in subgraph.operators]
        options = [operator.builtinOptions for operator in operators if self.code(operator) == Code.WHILE]
        return {index for option in options for index in (option.condSubgraphIndex, option.bodySubgraphIndex)}

    @property
    def has_free_shapes(self) -> bool:
        """Whether a dimension of some tensor is unknown."""
        signatures = (tensor.shapeSignature for _, _, tensor in self.tensors())
        return any(signature is not None and np.any(signature < 0) for signature in signatures)

    def code(self, operator: schema.OperatorT) -> int:
        """Returns the code of an operator."""
        return self.model.operatorCodes[operator.opcodeIndex].builtinCode

    # Additions

    def add_buffer(self, array: np.ndarray) -> int:
        self.model.buffers.append(schema.BufferT(data=np.frombuffer(array.tobytes(), np.uint8)))
        return len(self.model.buffers) - 1

    def add_tensor(self, place: int, shape, type: int, buffer: int = 0, quantization=None) -> int:
        tensors = self.model.subgraphs[place].tensors
        shape = np.asarray(shape, np.int32)
        tensors.append(schema.TensorT(shape=shape, type=type, buffer=buffer, quantization=quantization, hasRank=True))
        return len(tensors) - 1

    def add_constant(self, place: int, array: np.ndarray) -> int:
        type = {"i": Type.INT32, "f": Type.FLOAT32, "b": Type.BOOL}[array.dtype.kind]
        return self.add_tensor(place, array.shape, type, self.add_buffer(array))

    def add_operator(self, place: int, code: int, inputs: list[int], output: int, version: int = 1) -> None:
        """Adds an operator before the existing ones and after those added earlier."""
        self.first_operators[place].append(self.operator(code, inputs, output, version))

    def operator(self, code: int, inputs: list[int], output: int, version: int = 1) -> schema.OperatorT:
        """Returns an operator."""
        codes = self.model.operatorCodes
        known = [index for index, each in enumerate(codes) if (each.builtinCode, each.version) == (code, version)]
        if not known:
            known = [len(codes)]
            codes.append(schema.OperatorCodeT(min(code, 127), version=version, builtinCode=code))
        return schema.OperatorT(known[0], np.int32(inputs), np.int32([output]))


class CompactBuilder(flatbuffers.Builder):
    """A builder that writes equal arrays once, and byte arrays at multiples of 16 bytes."""

    def __init__(self, size: int):
        super().__init__(size)
        self.written = {}

    def CreateNumpyVector(self, x):
        key = (x.dtype.str, x.tobytes())
        if key not in self.written:
            self.written[key] = super().CreateNumpyVector(x)
        return self.written[key]

    def StartVector(self, elemSize, numElems, alignment):
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)


# Each weight once


@dataclasses.dataclass(frozen=True)
class Derivation:
    """How a constant follows from another one: a block of it, axes reversed or permuted, zeros by a mask.

    Attributes:
        source: index of the buffer of the other constant.
        view: shape that the other constant is first given.
        begin: first entry of the block.
        size: size of the block.
        reversed_axes: axes along which the block is reversed.
        permutation: order of the block's axes.
        mask: where the source's entries are kept, in the shape of the permuted block; None for everywhere.
    """

    source: int
    view: tuple[int, ...]
    begin: tuple[int, ...]
    size: tuple[int, ...]
    reversed_axes: tuple[int, ...]
    permutation: tuple[int, ...]
    mask: np.ndarray | None = None

    def block(self, of: np.ndarray) -> np.ndarray:
        """Returns the permuted block of a constant."""
        slices = (slice(first, first + size) for first, size in zip(self.begin, self.size, strict=True))
        return np.flip(of.reshape(self.view)[tuple(slices)], self.reversed_axes).transpose(self.permutation)


def shared(content: bytes) -> bytes:
    """Returns a file that contains each weight once."""
    file = File(content)
    constants, loops = file.float_constants(), file.loops()
    in_loop = {tensor.buffer for place, _, tensor in file.tensors() if place in loops}
    # A constant that follows from another one has no more nonzero entries than it. Convolutions are slow with a
    # computed kernel, and a loop computes it repeatedly.
    order = sorted(
        constants,
        key=lambda b: (-constants[b].size, -np.count_nonzero(constants[b]), constants[b].ndim < 4, b not in in_loop),
    )
    kept, derivations, firsts = {}, {}, {}
    for buffer in order:
        # The same numbers, perhaps in a different shape.
        first = firsts.setdefault(constants[buffer].tobytes(), buffer)
        if first != buffer:
            for _, _, tensor in file.tensors():
                tensor.buffer = first if tensor.buffer == buffer else tensor.buffer
            continue
        found = None
        if np.any(constants[buffer]):
            found = next((f for source in kept for f in derived(constants[buffer], source, kept[source])), None)
        if found is None:
            kept[buffer] = constants[buffer]
        else:
            derivations[buffer] = found
    for place, index, tensor in list(file.tensors()):
        if tensor.buffer in derivations and tensor.type == Type.FLOAT32:
            compute(file, place, index, derivations[tensor.buffer], kept)
    settle_outputs(file)
    return file.content()


def settle_outputs(file: File) -> None:
    """Puts an operator between a loop and an output, as `CompiledModel` allocates no memory for a loop's result."""
    for entry in file.model.signatureDefs:
        subgraph = file.model.subgraphs[entry.subgraphIndex]
        for operator in [each for each in subgraph.operators if file.code(each) == Code.WHILE]:
            for position, index in enumerate(operator.outputs):
                tensor = subgraph.tensors[index]
                if index in subgraph.outputs and tensor.shapeSignature is None:
                    result = file.add_tensor(entry.subgraphIndex, tensor.shape, tensor.type)
                    shape = file.add_constant(entry.subgraphIndex, np.int32(tensor.shape))
                    operator.outputs = np.where(np.arange(len(operator.outputs)) == position, result, operator.outputs)
                    reshape = file.operator(Code.RESHAPE, [result, shape], index)
                    subgraph.operators.insert(subgraph.operators.index(operator) + 1, reshape)


def derived(target: np.ndarray, source: int, of: np.ndarray) -> Iterator[Derivation]:
    """Yields the ways in which a constant follows from another one.

    Args:
        target: the constant.
        source: index of the other constant's buffer.
        of: the other constant.
    """
    # The largest entry determines where the block can be, and the next ones whether it is there.
    *others, largest = np.argsort(np.abs(target), axis=None)[-8:]
    places = np.flatnonzero(of == target.flat[largest])
    if len(places) > 8:
        return
    for view in views(of):
        for shape, place in itertools.product(dict.fromkeys([*views(target), *blocks(view, target.size)]), places):
            anchor, spot = np.unravel_index(largest, shape), np.unravel_index(place, view)
            steps = np.stack(np.unravel_index(others, shape), axis=-1) - anchor
            axes, wanted = range(len(view)), target.flat[others]
            for chosen, signs in itertools.product(
                itertools.permutations(axes, len(shape)), itertools.product((1, -1), repeat=len(shape))
            ):
                guesses = np.tile(spot, (len(others), 1))
                guesses[:, list(chosen)] += steps * signs
                if np.any(guesses < 0) or np.any(guesses >= view):
                    continue
                if np.any(of.reshape(view)[tuple(guesses.T)] != wanted):
                    continue
                begin, size = np.array(spot), np.ones(len(view), int)
                size[list(chosen)] = shape
                before = np.where(np.array(signs) > 0, anchor, np.array(shape) - 1 - anchor)
                begin[list(chosen)] -= before
                if np.any(begin < 0) or np.any(begin + size > view):
                    continue
                turned = [axis for axis, sign in zip(chosen, signs, strict=True) if sign < 0]
                permutation = (*(axis for axis in axes if axis not in chosen), *chosen)
                how = Derivation(source, view, *(tuple(map(int, each)) for each in (begin, size, turned, permutation)))
                found = how.block(of)
                same, zero = found == target.reshape(found.shape), target.reshape(found.shape) == 0.0
                if np.all(same):
                    yield how
                elif np.all(same | zero):
                    yield dataclasses.replace(how, mask=~zero)


def views(array: np.ndarray) -> list[tuple[int, ...]]:
    """Returns shapes that an array can take: its own, without axes of size 1, and those of matrices."""
    shape = tuple(size for size in array.shape if size > 1)
    return list(dict.fromkeys([shape, (shape[0], array.size // shape[0]), (array.size // shape[-1], shape[-1])]))


def blocks(kernel: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """Yields shapes of blocks of a convolution's kernel that have `size` entries, with outputs first or last."""
    if len(kernel) != 4:
        return
    outputs, height, width, inputs = kernel
    for rows in range(1, height + 1):
        columns, rest = divmod(size, outputs * rows * inputs)
        if rest == 0 and 1 <= columns <= width:
            yield (outputs, rows, columns, inputs)
            yield (rows, columns, inputs, outputs)


def compute(file: File, place: int, index: int, how: Derivation, kept: dict[int, np.ndarray]) -> None:
    """Makes a tensor of a subgraph the result of operators instead of a constant."""
    tensors = file.model.subgraphs[place].tensors
    tensor, shape = tensors[index], kept[how.source].shape
    same = [i for i, each in enumerate(tensors) if each.buffer == how.source and tuple(each.shape) == shape]
    last = same[0] if same else file.add_tensor(place, shape, Type.FLOAT32, how.source)
    # Each operator, its inputs around the previous result, and the shape of its own result.
    steps = []
    if how.view != shape:
        steps.append((Code.RESHAPE, [], [file.add_constant(place, np.int32(how.view))], how.view))
    if how.size != how.view:
        block = [file.add_constant(place, np.int32(numbers)) for numbers in (how.begin, how.size)]
        steps.append((Code.SLICE, [], block, how.size))
    for axis in how.reversed_axes:
        steps.append((Code.REVERSE_V2, [], [file.add_constant(place, np.int32([axis]))], how.size))
    permuted = tuple(how.size[axis] for axis in how.permutation)
    if how.permutation != tuple(range(len(how.view))):
        steps.append((Code.TRANSPOSE, [], [file.add_constant(place, np.int32(how.permutation))], permuted))
    if how.mask is not None:
        zero = file.add_constant(place, np.zeros((), np.float32))
        steps.append((Code.SELECT_V2, [add_mask(file, place, how.mask.reshape(permuted))], [zero], permuted))
    if permuted != tuple(tensor.shape) or not steps:
        steps.append((Code.RESHAPE, [], [file.add_constant(place, np.int32(tensor.shape))], tensor.shape))
    for number, (code, before, behind, shape) in enumerate(steps, start=1):
        output = index if number == len(steps) else file.add_tensor(place, shape, Type.FLOAT32)
        file.add_operator(place, code, [*before, last, *behind], output)
        last = output
    tensor.buffer = 0


def add_mask(file: File, place: int, mask: np.ndarray) -> int:
    """Adds bools to a subgraph and returns their tensor, which has size 1 along axes where they do not vary."""
    for axis in range(mask.ndim):
        first = mask.take([0], axis)
        mask = first if np.all(mask == first) else mask
    # Masks of degrees can be computed by a comparison.
    wide = [axis for axis, size in enumerate(mask.shape) if size > 1]
    if len(wide) == 2:
        rows = -mask.sum(wide[1], dtype=np.int32, keepdims=True)
        columns = np.where(mask, rows, -mask.size).max(wide[0], keepdims=True).astype(np.int32)
        if np.array_equal(rows <= columns, mask):
            output = file.add_tensor(place, mask.shape, Type.BOOL)
            inputs = [file.add_constant(place, numbers) for numbers in (rows, columns)]
            file.add_operator(place, Code.LESS_EQUAL, inputs, output)
            return output
    return file.add_constant(place, mask)


# Rounding


def rounded(content: bytes, kind: str) -> bytes:
    """Returns a file whose weights have fewer bits, wherever they are used; computation stays in float32.

    Args:
        content: a file in float32.
        kind: "none", "float16", or "int8" for integers with one scale for each slice along an axis.
    """
    if kind == "none":
        return content
    file, stored = File(content), {}
    for buffer, array in file.float_constants().items():
        numbers, scale, axis = (array.astype(np.float16), None, 0) if kind == "float16" else whole_numbers(array)
        error = numbers.astype(np.float32) * (1.0 if scale is None else scale) - array
        # A vector may be a table of anything; its size is negligible.
        if array.ndim > 1 and np.mean(np.square(error)) <= MOST_ERROR**2 * np.mean(np.square(array)):
            stored[buffer] = (file.add_buffer(numbers), array.shape, scale, axis)
    type, version = (Type.FLOAT16, 3) if kind == "float16" else (Type.INT8, 5)
    for place, index, tensor in list(file.tensors()):
        if tensor.type == Type.FLOAT32 and tensor.buffer in stored:
            buffer, shape, scale, axis = stored[tensor.buffer]
            quantization = None
            if scale is not None:
                quantization = schema.QuantizationParametersT(
                    scale=scale.ravel(), zeroPoint=np.zeros(scale.size, np.int64), quantizedDimension=axis
                )
            source = file.add_tensor(place, shape, type, buffer, quantization)
            tensor.buffer = 0
            # Scales are along an axis of one shape; the same numbers may also occur in another shape.
            is_same = tuple(tensor.shape) == shape
            result = index if is_same else file.add_tensor(place, shape, Type.FLOAT32)
            file.add_operator(place, Code.DEQUANTIZE, [source], result, version)
            if not is_same:
                wanted = file.add_constant(place, np.int32(tensor.shape))
                file.add_operator(place, Code.RESHAPE, [result, wanted], index)
    return file.content()


def whole_numbers(array: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns an array as integers from -127 to 127, their scales, and the axis of the scales."""
    tries = []
    # Outputs are along the first or the last axis, for any operator; a scale takes 12 bytes.
    for axis in sorted({0, array.ndim - 1}, key=lambda axis: array.shape[axis]):
        largest = np.abs(array).max(tuple(other for other in range(array.ndim) if other != axis), keepdims=True)
        scale = np.where(largest > 0.0, largest, 1.0).astype(np.float32) / np.float32(127.0)
        tries.append((np.mean(np.log2(scale)), scale, axis))
    # The smallest number of scales, unless the others are finer by more than half a bit.
    _, scale, axis = tries[0] if tries[0][0] <= tries[-1][0] + 0.5 else tries[-1]
    return np.round(array / scale).astype(np.int8), scale, axis
