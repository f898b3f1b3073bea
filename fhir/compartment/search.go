package compartment

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed search.tsv
var searchSource string

// searchable holds the names of all search parameters by type.
var searchable = func() map[string][]string {
	m := map[string][]string{}
	for line := range strings.Lines(searchSource) {
		typ, names, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		m[typ] = strings.Fields(names)
	}
	return m
}()

// Searchable reports whether R4 or US Core define a search parameter of that name,
// of any kind, for a type: its own, or one that every resource has.
func Searchable(typ, name string) bool {
	_, found := slices.BinarySearch(searchable[typ], name)
	if !found {
		_, found = slices.BinarySearch(searchable["*"], name)
	}
	return found
}
