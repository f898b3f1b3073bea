package view

import (
	"strings"

	"github.com/mandate-health/mandate/fhir/compartment"
)

// use says what the value of an element is taken for.
type use int

const (
	useToken use = iota
	useReference
	useDate
	useSubject
	useMixedSubject
	useAuthor
	useTarget
	useLink // an attachment address that may name a Binary
)

type act struct {
	use  use
	name string // the search parameter
	only string // the only type of reference that counts
}

// node is one element of a type: what it is used for and which elements below
// it matter.
type node struct {
	acts     []act
	children map[string]*node
}

func (n *node) at(path string) *node {
	for part := range strings.SplitSeq(path, ".") {
		if n.children == nil {
			n.children = map[string]*node{}
		}
		next := n.children[part]
		if next == nil {
			next = &node{}
			n.children[part] = next
		}
		n = next
	}
	return n
}

func (n *node) use(path string, a act) {
	leaf := n.at(path)
	leaf.acts = append(leaf.acts, a)
}

// plans holds, for each type, the elements worth reading.
var plans = func() map[string]*node {
	m := map[string]*node{}
	for _, typ := range compartment.Types() {
		m[typ] = plan(typ)
	}
	return m
}()

func plan(typ string) *node {
	root := &node{}
	for _, p := range compartment.TokenParams(typ) {
		for _, e := range p.Elements {
			root.use(e.Path, act{use: useToken, name: p.Name})
		}
	}
	for _, p := range compartment.ReferenceParams(typ) {
		for _, e := range p.Elements {
			root.use(e.Path, act{use: useReference, name: p.Name, only: e.Target})
		}
	}
	for _, p := range compartment.DateParams(typ) {
		for _, e := range p.Elements {
			root.use(e.Path, act{use: useDate, name: p.Name})
		}
	}
	for _, s := range compartment.AboutElements(typ) {
		u := useSubject
		if s.Mixed {
			u = useMixedSubject
		}
		root.use(s.Path, act{use: u})
	}
	for _, path := range compartment.AuthorElements(typ) {
		root.use(path, act{use: useAuthor})
	}
	for _, path := range compartment.TargetElements(typ) {
		u := useTarget
		if strings.HasSuffix(path, ".url") {
			u = useLink
		}
		root.use(path, act{use: u})
	}
	if typ == "Composition" {
		// Sections nest in sections.
		section := root.at("section")
		section.children["section"] = section
	}
	return root
}
