package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/arch"
)

// ground is the folder everybody stands on; its arrows are not drawn.
const ground = "internal"

// house is what is drawn: the rooms by floor, the arrows that no longer way
// replaces, and the same inside each room.
type house struct {
	floors [][]string
	arrows arch.Graph
	rooms  map[string]arch.Graph
}

// newHouse answers an error when the graph has a circle: it cannot be drawn as
// a ladder.
func newHouse(edges map[string][]string, floors [][]string) (*house, error) {
	top := arch.Fold(edges, "")
	if circle := top.Circle(); circle != nil {
		return nil, fmt.Errorf("circle %s", strings.Join(circle, " -> "))
	}
	delete(top, ".")
	delete(top, ground)
	for room, targets := range top {
		top[room] = slices.DeleteFunc(targets, func(to string) bool { return to == ground })
	}
	h := &house{floors: floors, arrows: top.Reduce(), rooms: map[string]arch.Graph{}}
	for room := range top {
		inside := packages(edges, room)
		if circle := inside.Circle(); circle != nil {
			return nil, fmt.Errorf("circle in %s: %s", room, strings.Join(circle, " -> "))
		}
		h.rooms[room] = inside.Reduce()
	}
	return h, nil
}

// packages is the graph of the packages of one room.
func packages(edges map[string][]string, room string) arch.Graph {
	g := arch.Graph{}
	within := func(path string) bool { return path == room || strings.HasPrefix(path, room+"/") }
	for from, targets := range edges {
		if within(from) {
			g[from] = slices.DeleteFunc(slices.Clone(targets), func(to string) bool { return !within(to) })
		}
	}
	return g
}

// count is the number of arrows.
func count(g arch.Graph) int {
	n := 0
	for _, targets := range g {
		n += len(targets)
	}
	return n
}

// ladder is the graph as text, top floor first.
func (h *house) ladder() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d arrows between top-level folders. An arrow that a longer way replaces is left out; `%s`, which everybody may use, is not drawn.\n\n", count(h.arrows), ground)
	b.WriteString("```\nfloor  folder         imports\n")
	for floor := len(h.floors) - 1; floor >= 0; floor-- {
		for _, room := range h.floors[floor] {
			if room != ground {
				fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("  %d    %-12s   %s", floor, room, strings.Join(h.arrows[room], " ")), " "))
			}
		}
	}
	for _, room := range h.beside() {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("  -    %-12s   %s", room, strings.Join(h.arrows[room], " ")), " "))
	}
	b.WriteString("```\n\nInside the rooms:\n\n```\n")
	for floor := len(h.floors) - 1; floor >= 0; floor-- {
		for _, room := range h.floors[floor] {
			h.inside(&b, room)
		}
	}
	for _, room := range h.beside() {
		h.inside(&b, room)
	}
	b.WriteString("```\n")
	return b.Bytes()
}

// inside writes the packages of one room that has more than one.
func (h *house) inside(b *bytes.Buffer, room string) {
	g := h.rooms[room]
	if len(g) < 2 {
		return
	}
	for _, from := range g.Nodes() {
		fmt.Fprintf(b, "%s\n", strings.TrimRight(fmt.Sprintf("%-26s %s", from, strings.Join(g[from], " ")), " "))
	}
}

// beside lists the folders that are on no floor.
func (h *house) beside() []string {
	return slices.DeleteFunc(h.arrows.Nodes(), func(room string) bool {
		return slices.ContainsFunc(h.floors, func(rooms []string) bool { return slices.Contains(rooms, room) })
	})
}

var (
	begin = []byte("<!-- drawn from the imports by make generate: begin -->\n")
	end   = []byte("<!-- drawn from the imports by make generate: end -->\n")
)

// replace puts text between the two marks of a page.
func replace(page, text []byte) ([]byte, error) {
	head, rest, found := bytes.Cut(page, begin)
	_, tail, closed := bytes.Cut(rest, end)
	if !found || !closed {
		return nil, errors.New(pageFile + " lost the marks between which the picture stands")
	}
	return slices.Concat(head, begin, text, end, tail), nil
}
