package arch

import (
	"slices"
	"strings"
)

// Graph is a graph of folders: from each to those it imports.
type Graph map[string][]string

// Fold contracts package imports to the folders directly below one folder
// ("" for the top). Files of the folder itself appear as ".". An import that
// leaves the folder is not an arrow of its graph.
func Fold(edges map[string][]string, folder string) Graph {
	g := Graph{}
	for from, targets := range edges {
		a, inside := child(folder, from)
		if !inside {
			continue
		}
		g[a] = append(g[a], nil...)
		for _, to := range targets {
			if b, inside := child(folder, to); inside && a != b && !slices.Contains(g[a], b) {
				g[a] = append(g[a], b)
			}
		}
		slices.Sort(g[a])
	}
	return g
}

// child names the part of path directly below folder.
func child(folder, path string) (string, bool) {
	if folder != "" {
		if path == folder {
			return ".", true
		}
		rest, below := strings.CutPrefix(path, folder+"/")
		if !below {
			return "", false
		}
		path = rest
	}
	top, _, _ := strings.Cut(path, "/")
	return top, true
}

// Circle answers one circle of the graph as a path that ends where it begins,
// or nil.
func (g Graph) Circle() []string {
	const open, done = 1, 2
	state := map[string]int{}
	var path []string
	var walk func(string) []string
	walk = func(n string) []string {
		if state[n] == open {
			return append(slices.Clone(path[slices.Index(path, n):]), n)
		}
		if state[n] == done {
			return nil
		}
		state[n] = open
		path = append(path, n)
		for _, to := range g[n] {
			if circle := walk(to); circle != nil {
				return circle
			}
		}
		path = path[:len(path)-1]
		state[n] = done
		return nil
	}
	for _, n := range g.Nodes() {
		if circle := walk(n); circle != nil {
			return circle
		}
	}
	return nil
}

// Nodes lists the folders of the graph, sorted.
func (g Graph) Nodes() []string {
	var nodes []string
	for n := range g {
		nodes = append(nodes, n)
	}
	slices.Sort(nodes)
	return nodes
}

// CheckCircles looks for a circle in the graph of each folder, the top included.
func (t *Tree) CheckCircles() []Violation {
	edges := t.Edges()
	folders := map[string]bool{"": true}
	for path := range edges {
		for folder := path; ; {
			cut := strings.LastIndexByte(folder, '/')
			if cut < 0 {
				break
			}
			folder = folder[:cut]
			folders[folder] = true
		}
	}
	var found []Violation
	for folder := range folders {
		if circle := Fold(edges, folder).Circle(); circle != nil {
			found = append(found, Violation{"folder " + folder, "circle " + strings.Join(circle, " -> ")})
		}
	}
	return found
}

// Reduce removes each arrow that a longer way replaces (the transitive
// reduction). The graph must have no circle.
func (g Graph) Reduce() Graph {
	short := Graph{}
	for from, targets := range g {
		short[from] = []string{}
		for _, to := range targets {
			if !slices.ContainsFunc(targets, func(via string) bool { return via != to && g.reaches(via, to) }) {
				short[from] = append(short[from], to)
			}
		}
	}
	return short
}

func (g Graph) reaches(from, to string) bool {
	if from == to {
		return true
	}
	return slices.ContainsFunc(g[from], func(next string) bool { return g.reaches(next, to) })
}
