package main

import (
	"bytes"
	"fmt"
)

// Measures of the drawing, in pixels.
const (
	width, rowHeight    = 760, 84
	boxWidth, boxHeight = 120, 36
	middle              = width / 2
	margin              = 24
	leftLane, rightLane = 36, width - 36
)

// point is the middle of a box.
type point struct{ x, y int }

// columns places the boxes of a row by their number.
var columns = map[int][]int{
	1: {middle},
	2: {middle - 130, middle + 130},
	3: {middle - 220, middle, middle + 220},
}

// places gives each room its point: one row for each floor; on the lowest row
// what stands on the ground keeps to the sides.
func (h *house) places() map[string]point {
	places := map[string]point{}
	row := func(floor int) int { return margin + boxHeight/2 + (len(h.floors)-1-floor)*rowHeight }
	for floor, rooms := range h.floors {
		for i, room := range rooms {
			if floor > 0 {
				x := margin + boxWidth/2 + i*(width-2*margin-boxWidth)/max(1, len(rooms)-1)
				if at := columns[len(rooms)]; at != nil {
					x = at[i]
				}
				places[room] = point{x, row(floor)}
			} else if room != ground {
				places[room] = point{width - margin - boxWidth/2, row(0)}
			}
		}
	}
	for _, room := range h.beside() {
		places[room] = point{margin + boxWidth/2, row(0)}
	}
	places[ground] = point{middle, row(0)}
	return places
}

// svg draws the house: boxes by floor, an arrow from who imports to what.
func (h *house) svg() []byte {
	var b bytes.Buffer
	places := h.places()
	height := 2*margin + boxHeight + (len(h.floors)-1)*rowHeight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Imports between the top-level folders">
<style>
 svg { --ink: #16202a; --paper: #ffffff; --line: #76848f; font: 15px system-ui, sans-serif }
 @media (prefers-color-scheme: dark) { svg { --ink: #eef2f5; --paper: #10161c; --line: #6b7d8e } }
 rect { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5 } text { fill: var(--ink); text-anchor: middle }
 path { fill: none; stroke: var(--line); stroke-width: 1.5 } marker path { fill: var(--line) } .ground rect { stroke-dasharray: 4 4 }
</style>
<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z"/></marker>
`, width, height, width, height)
	for _, from := range h.arrows.Nodes() {
		for _, to := range h.arrows[from] {
			fmt.Fprintf(&b, "<path d=%q marker-end=\"url(#tip)\"/>\n", way(places[from], places[to]))
		}
	}
	for _, room := range h.arrows.Nodes() {
		box(&b, "room", room, places[room])
	}
	box(&b, "ground", ground, places[ground])
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func box(b *bytes.Buffer, class, name string, p point) {
	fmt.Fprintf(b, "<g class=%q><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/><text x=\"%d\" y=\"%d\">%s</text></g>\n",
		class, p.x-boxWidth/2, p.y-boxHeight/2, boxWidth, boxHeight, p.x, p.y+5, name)
}

// way is the line of one arrow: straight, but along a side of the drawing where
// it would run over other boxes on its way to the ground.
func way(from, to point) string {
	switch {
	case to.x < middle-boxWidth && to.y-from.y > 3*rowHeight:
		return fmt.Sprintf("M%d %dH%dV%d", from.x-boxWidth/2, from.y, leftLane, to.y-boxHeight/2)
	case to.x > middle+boxWidth && to.y-from.y > 3*rowHeight:
		return fmt.Sprintf("M%d %dH%dV%d", from.x+boxWidth/2, from.y, rightLane, to.y-boxHeight/2)
	}
	return fmt.Sprintf("M%d %dL%d %d", from.x, from.y+boxHeight/2, to.x, to.y-boxHeight/2)
}
