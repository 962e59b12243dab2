"""The notebooks as pages of the site: their text, their code, and what they gave when they ran."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = "notebooks"


def pages(docs: Path) -> dict[str, str]:
    """Path -> text of a page for each notebook."""
    return {
        f"{FOLDER}/{path.stem}.md": page(json.loads(path.read_text(encoding="utf-8")), path.name)
        for path in sorted((docs / FOLDER).glob("*.ipynb"))
    }


def page(notebook: dict[str, Any], name: str) -> str:
    """A notebook as Markdown, with a link to the file below its title."""
    title, *parts = (part for cell in notebook["cells"] for part in _cell(cell))
    head, _, rest = title.partition("\n")
    link = f"[The notebook]({name}), to run it and to change it."
    return (
        "\n\n".join([head, link, rest.strip(), *parts])
        .replace(".ipynb)", ".md)")
        .replace(f"({Path(name).stem}.md)", f"({name})")
    )


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    text = _joined(cell["source"])
    if cell["cell_type"] == "markdown":
        yield text
        return
    yield f"```python\n{text}\n```"
    for output in cell.get("outputs", ()):
        yield from _output(output)


def _output(output: dict[str, Any]) -> Iterator[str]:
    data = output.get("data", {})
    if output.get("name") == "stdout":
        yield f"```text\n{_joined(output['text']).rstrip()}\n```"
    elif "image/png" in data:
        image = "".join(_joined(data["image/png"]).split())
        source = f"data:image/png;base64,{image}"
        yield f'<img class="output" alt="The figure that this code draws" src="{source}">'
    elif "text/html" in data:
        html = "\n".join(line for line in _joined(data["text/html"]).splitlines() if line.strip())
        yield f'<div class="output">{html}</div>'
    elif "text/plain" in data:
        yield f"```text\n{_joined(data['text/plain'])}\n```"


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
