"""What the generator of the site does beside its own: the reference, links into the source, equations in MathML."""

import ast
import html
import logging
import pathlib
import posixpath
import re

import latex2mathml.converter
from mkdocs.structure.files import File

from keras_gen.shipped import models

ROOT = pathlib.Path(__file__).parents[1]
LOG = logging.getLogger("mkdocs.hooks")

#: Modules of the reference, by the titles of their pages.
MODULES = {
    "autoregressive": "Autoregressive models",
    "latent": "Models with a code",
    "flows": "Flows",
    "mixtures": "Mixtures",
    "adversarial": "Adversarial networks",
    "translation": "Translation",
    "energy": "Energies",
    "data": "Data",
    "spaces": "Spaces",
    "evaluation": "Evaluation",
    "export": "Export",
    "pictures": "Pictures",
    "core": "Bases of models",
    "training": "What recipes share",
    "networks": "Networks",
    "distributions": "Distributions",
    "layers": "Layers",
}
LINK = re.compile(r"\]\((\.\./[^)#]+)\)")


#: The runtime of the gallery, as `npm ci --prefix docs/gallery` installs it.
PACKAGES = ROOT / "docs" / "gallery" / "node_modules" / "@litertjs"
RUNTIME = {
    "core.js": PACKAGES / "core" / "dist" / "index.js",
    "wasm_utils.js": PACKAGES / "wasm-utils" / "dist" / "index.js",
    **{
        f"wasm/{name}": PACKAGES / "core" / "wasm" / name
        for kind in ("", "_compat")
        for name in (f"litert_wasm{kind}_internal.js", f"litert_wasm{kind}_internal.wasm")
    },
}


def public_names(module: str) -> list[str]:
    """Returns where the names are defined that a module of the package hands on, functions and classes.

    Raises:
        ValueError: if one of them has no docstring.
    """
    found = []
    tree = ast.parse((ROOT / "keras_gen" / module / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        file = ROOT / (node.module.replace(".", "/") + ".py")
        if not file.is_file():
            file = file.with_suffix("") / "__init__.py"
        source = ast.parse(file.read_text(encoding="utf-8"))
        defined = {it.name: it for it in source.body if isinstance(it, (ast.ClassDef, ast.FunctionDef))}
        for alias in node.names:
            if alias.name in defined:
                if not ast.get_docstring(defined[alias.name]):
                    raise ValueError(f"`{node.module}.{alias.name}` has no docstring; public names have one.")
                found.append(f"{node.module}.{alias.name}")
    return found


def on_files(files, config):
    """Adds the pages of the reference, and the files that pages link to, so that the links work in the site, too."""
    for module, title in MODULES.items():
        source = ast.parse((ROOT / "keras_gen" / module / "__init__.py").read_text(encoding="utf-8"))
        text = f"# {title}\n\n`keras_gen.{module}`. {ast.get_docstring(source)}\n\n"
        text += "".join(f"::: {name}\n\n" for name in public_names(module))
        files.append(File.generated(config, f"reference/{module}.md", content=text))
    for name in ("core.saving.load_model", "core.saving.save_model", "hub.push"):
        files.get_file_from_path("reference/core.md").content_string += f"::: keras_gen.{name}\n\n"
    for name, folder in models().items():
        files.append(File.generated(config, f"gallery/models/{name}.tflite", abs_src_path=str(folder / "model.tflite")))
    if not PACKAGES.is_dir():
        LOG.info(f"{PACKAGES} is missing, which `npm ci --prefix docs/gallery` installs: the gallery runs no models.")
    for place, path in RUNTIME.items() if PACKAGES.is_dir() else ():
        # In a page, packages have no names.
        text = path.read_bytes().replace(b'"@litertjs/wasm-utils"', b'"./wasm_utils.js"')
        files.append(File.generated(config, f"gallery/litert/{place}", content=text))
    for page in list(files.documentation_pages()):
        for target in LINK.findall(page.content_string):
            path = (ROOT / "docs" / posixpath.dirname(page.src_uri) / target).resolve()
            if path.is_dir():
                path = path / "__init__.py"
            place = "source/" + str(path.relative_to(ROOT)) + ".txt"
            if path.is_relative_to(ROOT / "docs") or not path.is_file() or files.get_file_from_path(place):
                continue
            files.append(File.generated(config, place, content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown, page, config, files):
    """Has links out of the documentation lead to the copies in the site."""

    def moved(match: re.Match) -> str:
        path = (ROOT / "docs" / posixpath.dirname(page.file.src_uri) / match.group(1)).resolve()
        if path.is_dir():
            path = path / "__init__.py"
        if path.is_relative_to(ROOT / "docs"):
            return match.group(0)
        up = "../" * page.file.src_uri.count("/")
        return f"]({up}source/{path.relative_to(ROOT)}.txt)"

    return LINK.sub(moved, markdown)


def on_page_content(content, page, config, files):
    """Turns equations into MathML, which browsers draw by themselves."""

    def drawn(match: re.Match) -> str:
        tag, text = match.group(1), html.unescape(match.group(2)).strip()[2:-2]
        if tag == "span":
            return latex2mathml.converter.convert(text, display="inline")
        # Equations on lines that follow each other come as one.
        equations = (latex2mathml.converter.convert(part, display="block") for part in text.split("$$") if part.strip())
        return "".join(f'<div style="overflow-x: auto">{equation}</div>' for equation in equations)

    return re.sub(r'<(span|div) class="arithmatex">(.*?)</\1>', drawn, content, flags=re.DOTALL)
