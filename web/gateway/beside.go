package gateway

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
)

const (
	// maxHeld is how many bytes of what came beside the matches are kept until it
	// is known which of it leaves; beyond them it is asked for again.
	maxHeld = 2 << 20
	// maxLater bounds the Provenances that wait for what they are about.
	maxLater = 1 << 20
)

// trace is what is kept of a resource that may lead to others.
type trace struct {
	ref fhir.Reference
	// params are the references by search parameter, named all local ones.
	params map[string][]fhir.Reference
	named  []fhir.Reference
}

// held is a visible resource beside the matches.
type held struct {
	trace
	subjects []string
	// raw is nil where it has to be asked for again.
	raw  []byte
	size int
	// notice must accompany it.
	notice redisclosure
	// always lets it leave without being led to.
	always bool
}

// refs is a set of references in little memory: a record may have 50,000. It keeps
// keyed sums of 64 bits; should two ever meet, a resource that may be seen anyway
// is shown beside.
type refs struct {
	seed maphash.Seed
	sums map[uint64]struct{}
}

func newRefs() refs { return refs{maphash.MakeSeed(), map[uint64]struct{}{}} }

func (r refs) add(ref fhir.Reference) { r.sums[maphash.Comparable(r.seed, ref)] = struct{}{} }

func (r refs) has(ref fhir.Reference) bool {
	_, ok := r.sums[maphash.Comparable(r.seed, ref)]
	return ok
}

// beside gathers what comes beside the matches of a walk. Which of it leaves,
// and where, is known behind the last match.
type beside struct {
	// edges lead from the matches; without any, each reference does.
	edges []edge
	from  []trace
	known refs
	named refs
	held  []held
	ids   map[fhir.Reference]bool
	size  int
	// later are Provenances, judged when what they are about was.
	later     []json.RawMessage
	laterSize int
}

// along gathers along the edges, nil when there are none.
func along(edges []edge) *beside {
	if len(edges) == 0 {
		return nil
	}
	return &beside{edges: edges, known: newRefs(), ids: map[fhir.Reference]bool{}}
}

// anywhere gathers along every reference, in either direction.
func anywhere() *beside {
	return &beside{known: newRefs(), named: newRefs(), ids: map[fhir.Reference]bool{}}
}

// match notes a visible match.
func (b *beside) match(s sight) {
	if b == nil {
		return
	}
	t := b.traceOf(s)
	b.know(t)
	if b.edges != nil {
		b.from = append(b.from, t)
	}
}

func (b *beside) know(t trace) {
	b.known.add(t.ref)
	if b.edges == nil {
		for _, n := range t.named {
			b.named.add(n)
		}
	}
}

func (b *beside) traceOf(s sight) trace {
	t := trace{ref: s.ref()}
	if b.edges == nil {
		t.named = references(s.raw)
		return t
	}
	t.params = s.res.References
	for _, e := range b.edges {
		if _, known := compartment.Find(e.typ, e.param); !known && (e.typ == "*" || e.typ == t.ref.Type) {
			t.named = references(s.raw)
			break
		}
	}
	return t
}

// take judges a resource beside the matches on its own (GW-05). A Provenance
// waits for settle.
func (b *beside) take(a *act, e view.Entry) error {
	if isProvenance(e) {
		b.later = append(b.later, bytes.Clone(e.Resource))
		if b.laterSize += len(e.Resource); b.laterSize < maxLater {
			return nil
		}
		return b.settle(a)
	}
	s, ok, err := a.seeEntry(e, eitherOf...)
	if err == nil && ok {
		b.hold(s, false)
	}
	return err
}

// settle judges the Provenances that wait.
func (b *beside) settle(a *act) error {
	if b == nil || len(b.later) == 0 {
		return nil
	}
	if err := a.foresee(b.later); err != nil {
		return err
	}
	for _, raw := range b.later {
		s, ok, err := a.see(raw, eitherOf...)
		if err != nil {
			return err
		}
		if ok {
			b.hold(s, b.edges == nil && len(s.res.Subjects) > 0)
		}
	}
	b.later, b.laterSize = nil, 0
	return nil
}

func (b *beside) hold(s sight, always bool) {
	if b.ids[s.ref()] {
		return
	}
	b.ids[s.ref()] = true
	h := held{trace: b.traceOf(s), subjects: s.res.Subjects, size: len(s.raw), always: always, notice: s.notice}
	if b.size+h.size <= maxHeld {
		h.raw = bytes.Clone(s.raw)
		b.size += h.size
	}
	b.held = append(b.held, h)
}

// reached gives those that the edges lead to from a visible match: what came for
// a hidden one would tell of it (SMART TRP-04, TF-21), and so would the place at
// which it came.
func (b *beside) reached() []held {
	if b == nil {
		return nil
	}
	for _, h := range b.held {
		if h.always && !b.known.has(h.ref) {
			b.know(h.trace)
		}
	}
	var out []held
	left := b.held
	for from, first := b.from, true; ; first = false {
		var found []trace
		left = slices.DeleteFunc(left, func(h held) bool {
			switch {
			case h.always:
			case b.known.has(h.ref):
				return true
			case !b.leads(from, h.trace, first):
				return false
			}
			found, out = append(found, h.trace), append(out, h)
			return true
		})
		for _, t := range found {
			b.know(t)
		}
		if len(found) == 0 {
			break
		}
		from = found
	}
	slices.SortFunc(out, func(a, b held) int { return strings.Compare(a.ref.String(), b.ref.String()) })
	return out
}

// leads reports whether something leads to a resource.
func (b *beside) leads(from []trace, to trace, first bool) bool {
	if b.edges == nil {
		return b.named.has(to.ref) || slices.ContainsFunc(to.named, func(n fhir.Reference) bool { return b.known.has(n) })
	}
	for _, e := range b.edges {
		if !first && !e.again {
			continue
		}
		if slices.ContainsFunc(from, func(f trace) bool { return e.back && e.names(to, f.ref) || !e.back && e.names(f, to.ref) }) {
			return true
		}
	}
	return false
}

// reveal hands over what was held; what was not kept is asked for and judged
// again.
func (a *act) reveal(list []held, each func(sight) error) error {
	for len(list) > 0 {
		n := 1
		if list[0].raw == nil {
			n = sameAgain(list)
		}
		raws, err := a.again(list[:n])
		if err != nil {
			return err
		}
		for i, h := range list[:n] {
			if raws[i] == nil {
				continue
			}
			s := sight{raw: raws[i], res: fhir.Resource{Type: h.ref.Type, ID: h.ref.ID, Subjects: h.subjects}, notice: h.notice}
			if err := each(s); err != nil {
				return err
			}
		}
		list = list[n:]
	}
	return nil
}

// sameAgain is how many of the next can be asked for at once: of one type, and
// not too large together.
func sameAgain(list []held) int {
	size := 0
	for i, h := range list {
		if size += h.size; i > 0 && size > maxHeld || i == lookupChunk || h.raw != nil || h.ref.Type != list[0].ref.Type {
			return i
		}
	}
	return len(list)
}

// again gives the text of what was held, nil for what is not visible any more.
func (a *act) again(list []held) ([][]byte, error) {
	raws := make([][]byte, len(list))
	if list[0].raw != nil {
		raws[0] = list[0].raw
		return raws, nil
	}
	var ids []string
	for _, h := range list {
		ids = append(ids, h.ref.ID)
	}
	p, err := a.ask(rest.Request{Interaction: rest.SearchType, Type: list[0].ref.Type, Query: []rest.Param{
		{Name: "_id", Values: ids}, {Name: "_count", Values: []string{strconv.Itoa(len(ids))}},
	}})
	if err != nil {
		return nil, err
	}
	_, err = eachPart(p, func(part []view.Entry) error {
		if err := a.learnPart(part); err != nil {
			return err
		}
		for _, e := range part {
			if e.Resource == nil {
				continue
			}
			s, ok, err := a.seeEntry(e, eitherOf...)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(list, func(h held) bool { return h.ref == s.ref() })
			if ok && i >= 0 {
				raws[i] = bytes.Clone(s.raw)
			}
		}
		return nil
	})
	return raws, err
}
