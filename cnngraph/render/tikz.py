r"""Writing a drawing as TikZ: a file that compiles alone and that a paper can `\input`, in the font of the document.

Texts are laid out with the widths of Helvetica. Where the document's font is wider, a text is compressed to its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnngraph.render.colours import THEMES, Theme
from cnngraph.render.latex_text import latex
from cnngraph.render.layout.drawing import Drawing, Point
from cnngraph.render.marks import marks
from cnngraph.render.parts import DASHES, DOT, DOTS, STROKE, Circle, Curve, Dash, Group, Part, Polygon, Rect, Text

MAX_SIZE = 14_000  # points of a side; TeX has no lengths above 16,383
BIG_POINT = 72 / 72.27  # TeX's point in those of a drawing
TYPE = 10  # the size at which texts are typeset before they are scaled: every font has it

# A document is running if \@nodocument, the error for text in a preamble, is \relax.
HEAD = r"""% {name}, drawn by cnngraph. This file compiles alone. To include it in a document: \usepackage{{tikz}} in
% the preamble, then \input{{FILE}}. To give it the width of the text: \resizebox{{\textwidth}}{{!}}{{\input{{FILE}}}}
\expandafter\ifx\csname @nodocument\endcsname\relax
  \ifdefined\tikzpicture\else\errmessage{{A drawing by cnngraph needs \string\usepackage{{tikz}} in the preamble}}\fi
  \let\cnnend\relax
\else
  \documentclass{{standalone}}
  \usepackage{{tikz}}
  \begin{{document}}%
  \def\cnnend{{\end{{document}}}}%
\fi
"""
# A text, #1 at a point, #2 by its middle or its start, #3 not wider than this, #4 of runs: in this size and colour.
MACROS = r"""\def\cnntext#1#2#3#4{\node[anchor=#2,inner sep=0pt,outer sep=0pt] at (#1) {\sbox0{#4}%
  \ifdim\wd0>#3bp\resizebox{#3bp}{\height}{\copy0}\else\copy0\fi};}
\def\cnnrun#1#2#3{\scalebox{#1}{\fontsize{10}{12}\selectfont\color{#2}\relax #3}}
\def\cnnbold#1#2#3{\cnnrun{#1}{#2}{\bfseries #3}}
"""
# A character that not every font has: number and character.
RARE = r"""\def\cnnchar#1#2{\ifdefined\Umathcode\iffontchar\font#1 #2\else?\fi\else?\fi}
"""
STYLES = (
    "x=1bp,y=-1bp,line cap=round",
    "box/.style n args={3}{rectangle,minimum width=#1bp,minimum height=#2bp,rounded corners=#3bp,"
    "inner sep=0pt,outer sep=0pt}",
    "ball/.style={circle,minimum size=#1bp,inner sep=0pt,outer sep=0pt}",
)


def tikz(drawing: Drawing, scale: float = 1.0, theme: Theme = THEMES["light"]) -> str:
    """The LaTeX document of a drawing, which other documents can include. Very large drawings are made smaller."""
    return _Writer(drawing, min(scale, MAX_SIZE / max(drawing.width, drawing.height)), theme).text()


class _Writer:
    """Writes marks, and collects the colours that they use."""

    def __init__(self, drawing: Drawing, scale: float, theme: Theme) -> None:
        self.drawing, self.scale, self.theme = drawing, scale, theme
        self.names = _names(theme)
        self.used: dict[str, str] = {}

    def text(self) -> str:
        """The document."""
        drawing, area = (
            self.drawing,
            f"(0,0) rectangle ({self.size(self.drawing.width)},{self.size(self.drawing.height)})",
        )
        lines = [line for group in marks(drawing, self.theme) for line in self.group(group)]
        ground = (
            "" if self.theme.ground == THEMES["print"].ground else f"\\fill[{self.colour(self.theme.ground)}] {area};\n"
        )
        body = "\n".join(lines) + "\n"
        colours = "".join(
            f"\\definecolor{{{name}}}{{HTML}}{{{value[1:].upper()}}}\n" for value, name in self.used.items()
        )
        dashes = "dashes/.style={{dash pattern=on {}bp off {}bp}}".format(*map(self.size, DASHES))
        dots = f"dots/.style={{dash pattern=on 0bp off {self.size(DOTS)}bp,line width={self.size(DOT)}bp}}"
        styles = ",\n  ".join([*STYLES, dashes, dots, f"line width={self.size(STROKE)}bp"])
        rare = RARE if r"\cnnchar" in body else ""
        return (
            HEAD.format(name=latex(drawing.name))
            + f"\\begin{{tikzpicture}}[{styles}]\n{MACROS}{rare}{colours}\\useasboundingbox {area};\n{ground}{body}"
            + "\\end{tikzpicture}%\n\\cnnend\n"
        )

    def group(self, group: Group) -> Iterator[str]:
        """The lines of a group. The node of a box has its key as its name."""
        name = group.key if group.kind.startswith(("box", "frame")) else ""
        for part in group.parts:
            yield self.part(part, name)
            name = ""

    def part(self, part: Part, name: str) -> str:
        match part:
            case Rect():
                at = part.at
                radius = min(part.radius, at.width / 2, at.height / 2)
                sizes = "".join(f"{{{self.size(value)}}}" for value in (at.width, at.height, radius))
                return self.node(f"box={sizes}", at.middle, part.fill, part.stroke, part.dashed, name)
            case Circle():
                shape = f"ball={self.size(2 * part.radius)}"
                return self.node(shape, (part.x, part.y), part.fill, part.stroke, part.dashed, name)
            case Curve():
                style = {Dash.NONE: "", Dash.DASHED: ",dashes", Dash.DOTTED: ",dots"}[part.dash]
                return f"\\draw[{self.colour(part.stroke)}{style}] {self.path(part.points)};"
            case Polygon():
                paint = [f"fill={self.colour(part.fill)}"] if part.fill else []
                paint += [f"draw={self.colour(part.stroke)}"] if part.stroke else []
                paint += ["dashes"] if part.dashed else []
                path = f"\\path[{','.join(paint)}] {' -- '.join(map(self.point, part.points))} -- cycle;"
                return f"{path}\n{self.anchor(part, name)}" if name else path
            case Text():
                return self.line(part)

    def node(self, shape: str, middle: Point, fill: str, stroke: str, dashed: bool, name: str) -> str:
        draw = f",draw={self.colour(stroke)}" if stroke else ""
        named = f" ({name})" if name else ""
        return f"\\node[{shape},fill={self.colour(fill)}{draw}{_dashed(dashed)}]{named} at {self.point(middle)} {{}};"

    def anchor(self, part: Polygon, name: str) -> str:
        """An invisible node in the place of a slanted box."""
        xs, ys = zip(*part.points, strict=True)
        middle, sizes = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2), (max(xs) - min(xs), max(ys) - min(ys), 0)
        shape = "".join(f"{{{self.size(value)}}}" for value in sizes)
        return f"\\node[box={shape}] ({name}) at {self.point(middle)} {{}};"

    def line(self, text: Text) -> str:
        runs = []
        for run, colour in zip(text.line.runs, text.colours, strict=True):
            size = f"{run.size * self.scale / TYPE / BIG_POINT:.3f}"
            runs.append(f"\\cnn{'bold' if run.bold else 'run'}{{{size}}}{{{self.colour(colour)}}}{{{latex(run.text)}}}")
        anchor = "base west" if text.to_left else "base"
        place = f"{self.size(text.x)},{self.size(text.y)}"
        return f"\\cnntext{{{place}}}{{{anchor}}}{{{self.size(text.line.width)}}}{{{''.join(runs)}}}"

    def path(self, points: Sequence[Point]) -> str:
        start, *rest = map(self.point, points)
        segments = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        return start + "".join(f" .. controls {one} and {two} .. {end}" for one, two, end in segments)

    def point(self, point: Point) -> str:
        return f"({self.size(point[0])},{self.size(point[1])})"

    def size(self, value: float) -> str:
        """A length in points of the page."""
        return f"{value * self.scale:.2f}".rstrip("0").rstrip(".")

    def colour(self, value: str) -> str:
        """The name of a colour."""
        return self.used.setdefault(value, self.names.get(value, f"cnn-{value[1:]}"))


def _names(theme: Theme) -> dict[str, str]:
    """The names of a theme's colours, for who wants to change them in the file."""
    names = {theme.ground: "cnn-ground", theme.ink: "cnn-ink", theme.grey: "cnn-grey", theme.line: "cnn-line"}
    for colour, name in ((theme.frame_line, "frame"), (theme.pale, "pale"), (theme.terminal, "terminal")):
        names.setdefault(colour, f"cnn-{name}")
    for kind in theme.fills:
        names.setdefault(theme.fill(kind), f"cnn-{kind}")
        names.setdefault(theme.edge(kind), f"cnn-{kind}-edge")
    return names


def _dashed(dashed: bool) -> str:
    return ",dashes" if dashed else ""
