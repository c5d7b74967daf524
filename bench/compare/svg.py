"""Two kinds of plots as SVG: bars in groups, and lines on logarithmic axes. Text stays text."""

from html import escape
from math import ceil, floor, log10

COLOURS = ["#c2410c", "#2563eb", "#0d9488", "#7c3aed", "#ca8a04", "#64748b", "#db2777", "#15803d", "#1e40af", "#a16207",
           "#4b5563", "#9f1239"]
KIND_COLOURS = {"rota": "#c2410c", "peer": "#2563eb", "not synced": "#93c5fd", "limit": "#9ca3af"}
WIDTH = 860
FONT = "font-family='system-ui,sans-serif'"


def text(x, y, content, size=12, anchor="start", weight="normal", fill="#1f2937"):
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' font-weight='{weight}' fill='{fill}'>"
            f"{escape(content)}</text>")


def document(height, title, parts):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' {FONT} role='img' "
            f"aria-label='{escape(title, quote=True)}'>\n<rect width='100%' height='100%' fill='#ffffff'/>\n"
            + text(16, 26, title, 15, weight="600") + "\n" + "\n".join(parts) + "\n</svg>\n")


def shown(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return f"{value / 1e3:.3g} k" if value >= 1e4 else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def bars(title, groups):
    """`groups`: [(heading, [(name, kind, median, least, most)])], drawn one below the other, each on its own scale."""
    left, right, bar, y, parts = 240, 90, 20, 50, []
    for heading, rows in groups:
        parts.append(text(16, y, heading, 12, weight="600", fill="#4b5563"))
        y += 10
        scale = (WIDTH - left - right) / max([most for *_, most in rows] + [1e-9])
        for name, kind, value, least, most in rows:
            weight = "600" if kind == "rota" else "normal"
            label = f"{name} (not synced)" if kind == "not synced" else name
            parts.append(text(left - 8, y + bar * 0.7, label, 12, "end", weight))
            parts.append(f"<rect x='{left}' y='{y + 2}' width='{max(value * scale, 1):.1f}' height='{bar - 5}' rx='2' "
                         f"fill='{KIND_COLOURS[kind]}'/>")
            middle = y + bar / 2 - 0.5
            parts.append(f"<line x1='{left + least * scale:.1f}' y1='{middle:.1f}' x2='{left + most * scale:.1f}' "
                         f"y2='{middle:.1f}' stroke='#111827' stroke-width='1.5'/>")
            parts.append(text(left + most * scale + 6, y + bar * 0.7, shown(value), 11, weight=weight))
            y += bar
        y += 22
    return document(y, title, parts)


def decades(values):
    return floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)


def lines(title, x_title, series):
    """`series`: {name: [(x, y)]}, all above 0."""
    left, right, top, height = 70, 170, 50, 300
    (x_low, x_high), (y_low, y_high) = (decades([point[axis] for points in series.values() for point in points])
                                        for axis in (0, 1))

    def across(x):
        return left + (log10(x) - x_low) / (x_high - x_low) * (WIDTH - left - right)

    def down(y):
        return top + height - (log10(y) - y_low) / (y_high - y_low) * height

    parts = []
    for power in range(x_low, x_high + 1):
        x = across(10**power)
        parts.append(f"<line x1='{x:.1f}' y1='{top}' x2='{x:.1f}' y2='{top + height}' stroke='#e5e7eb'/>")
        parts.append(text(x, top + height + 18, f"{10**power:,.0f}", 11, "middle"))
    for power in range(y_low, y_high + 1):
        y = down(10**power)
        parts.append(f"<line x1='{left}' y1='{y:.1f}' x2='{WIDTH - right}' y2='{y:.1f}' stroke='#e5e7eb'/>")
        parts.append(text(left - 8, y + 4, shown(10**power), 11, "end"))
    parts.append(text((left + WIDTH - right) / 2, top + height + 38, x_title, 12, "middle"))
    ends = []
    for i, (name, points) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.2'/>")
        parts += [f"<circle cx='{across(x):.1f}' cy='{down(y):.1f}' r='3' fill='{colour}'/>" for x, y in points]
        ends.append((down(points[-1][1]), name, colour))
    last = -1e9
    for y, name, colour in sorted(ends):  # labels beside the lines' ends, not over each other
        last = max(y, last + 15)
        parts.append(text(WIDTH - right + 8, last + 4, name, 12, fill=colour, weight="600"))
    return document(top + height + 56, title, parts)
