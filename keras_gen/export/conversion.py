"""The process in which SavedModels become LiteRT files: TensorFlow's converter leaks memory at each call.

It is a script that imports TensorFlow alone. It answers each line that it reads, a request in JSON, with a line, and
ends with its input.
"""

import json
import os
import sys


def converted(folder: str, names: list[str]) -> bytes:
    """Returns signatures of a SavedModel in LiteRT's format, with built-in operators alone."""
    import tensorflow as tf
    from tensorflow.lite.python.lite import TFLiteSavedModelConverterV2

    class Converter(TFLiteSavedModelConverterV2):
        """A converter that doesn't load the SavedModel in Python.

        `TFLiteConverter.from_saved_model` loads it to see whether it has the signatures, and `convert` twice more, for
        statistics and for debug information that it then doesn't use. The file is the same in half the time.
        """

        def convert(self) -> bytes:
            return self._convert_from_saved_model(tf.compat.v1.GraphDef())

    converter = Converter(folder, {tf.saved_model.SERVING}, names)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    # A note of the versions in use, for which TensorFlow would take the file apart and put it together again.
    converter.exclude_conversion_metadata = True
    return converter.convert()


def main() -> None:
    """Answers requests: with null when the file is there, or with what the converter says."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What libraries print is no answer.
    os.dup2(2, 1)
    from tensorflow.lite.python.convert import ConverterError

    for line in sys.stdin:
        request = json.loads(line)
        error = None
        try:
            content = converted(request["folder"], request["names"])
        except ConverterError as raised:
            error = str(raised)
        else:
            with open(request["file"], "wb") as file:
                file.write(content)
        answers.write(json.dumps(error) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
