package gateway

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// mention says what a resource that leaves may tell of one that it refers to.
type mention uint8

const (
	// unknown is what nobody could look at: nothing is told of it.
	unknown mention = iota
	// absent is not there. Of a type that the token may read nothing is told of it,
	// as of what is hidden: following the reference would show which of the two it is.
	absent
	hidden
	tellable
)

// recorded are the types whose resources are looked at before another may refer to
// them: those that are about a patient, and medicines, which say what somebody is
// treated for. Patients are named in whatever is about them, and who and what gives
// care is a directory (SMART TRP-16).
var recorded = func() map[string]bool {
	m := map[string]bool{"Medication": true}
	for _, typ := range compartment.Types() {
		if len(compartment.AboutParams(typ)) > 0 && !fhirapi.Owns(typ) && !access.NeverForApps(typ) {
			m[typ] = true
		}
	}
	return m
}()

const (
	// maxMentioned bounds how many references are known at once, and asked about
	// for one part of an answer.
	maxMentioned = 4000
	// maxMentionAsks bounds, for one exchange, the requests that serve to know what
	// may be referred to; nothing is told of what was not looked at.
	maxMentionAsks = 4000
	// mentionLife is how long the answer serves other requests of the same token:
	// not longer than a revocation may take (D17).
	mentionLife = time.Second
	// maxKept bounds the answers that are kept.
	maxKept = 20000
)

// mentions keeps what was decided about references, not the records. It is safe for
// concurrent use.
type mentions struct {
	seed  maphash.Seed
	mu    sync.Mutex
	since time.Time
	kept  map[mentioned]mention
}

// mentioned is a reference in the eyes of whoever asks.
type mentioned struct {
	asker  uint64
	policy *consent.Policy
	ref    fhir.Reference
}

func (m *mentions) get(key mentioned, now time.Time) mention {
	m.mu.Lock()
	defer m.mu.Unlock()
	if age := now.Sub(m.since); age < 0 || age >= mentionLife {
		m.kept, m.since = nil, now
	}
	return m.kept[key]
}

func (m *mentions) keep(key mentioned, what mention) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= maxKept {
		m.kept = map[mentioned]mention{}
	}
	m.kept[key] = what
}

// asker sums up all that the answer depends on beside the record and the consents.
func (x *exchange) asker() uint64 {
	if x.memory.asker != 0 {
		return x.memory.asker
	}
	in := &x.in
	c := in.Grant.Capacity
	var h maphash.Hash
	h.SetSeed(x.g.mentions.seed)
	for _, part := range slices.Concat([]string{
		x.holder(), x.bearer.Scopes, string(c.Kind), c.Patient, c.Acting.String(), c.Purpose, in.Grant.Patient,
		strconv.FormatBool(in.ProxyInForce), strconv.FormatBool(in.SafetyHold), strconv.FormatBool(in.Grant.OpenID), strconv.Itoa(len(in.Grant.Topics)),
	}, in.Grant.Topics, in.Grant.Members) {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	x.memory.asker = h.Sum64() | 1
	return x.memory.asker
}

func (x *exchange) mentioned(ref fhir.Reference) mentioned {
	return mentioned{x.asker(), x.in.Policy, ref}
}

// told gives what is known about a reference that was learnt before.
func (a *act) told(ref fhir.Reference) mention {
	if !recorded[ref.Type] {
		return tellable
	}
	return a.x.memory.mentions[ref]
}

func (a *act) weighMention(res fhir.Resource) mention {
	in := a.x.governed(res.Type)
	in.Resource = &res
	if access.Mentionable(in) {
		return tellable
	}
	return hidden
}

func (x *exchange) recall(ref fhir.Reference, what mention) {
	if x.memory.mentions == nil {
		x.memory.mentions = map[fhir.Reference]mention{}
	}
	x.memory.mentions[ref] = what
}

// localReference reads a reference as the upstream writes it.
func (g *Gateway) localReference(text string) (fhir.Reference, bool) {
	if ref, ok := fhir.ParseReference(text); ok {
		return ref, true
	}
	for _, base := range append([]string{g.d.Upstream.Base()}, g.d.Upstream.Aliases()...) {
		if rest, ok := strings.CutPrefix(text, base+"/"); ok {
			return fhir.ParseReference(rest)
		}
	}
	return fhir.Reference{}, false
}

// learn finds out, in few requests, what may be told of those that resources refer
// to.
func (a *act) learn(raws ...[]byte) error {
	if a.x.g.d.Modes.Of("reference") == access.Off {
		return nil
	}
	if len(a.x.memory.mentions) >= maxMentioned {
		a.x.memory.mentions = nil
	}
	missing := map[string][]string{}
	count := 0
	for _, raw := range raws {
		view.Mentions(raw, func(text []byte) {
			ref, ok := a.x.g.localReference(string(text))
			if !ok || !recorded[ref.Type] || count >= maxMentioned {
				return
			}
			if _, known := a.x.memory.mentions[ref]; known {
				return
			}
			what := a.x.g.mentions.get(a.x.mentioned(ref), a.x.g.d.Clock.Now())
			a.x.recall(ref, what)
			if what == unknown {
				count++
				missing[ref.Type] = append(missing[ref.Type], ref.ID)
			}
		})
	}
	for typ, ids := range missing {
		for chunk := range slices.Chunk(ids, lookupChunk) {
			if err := a.learnSome(typ, chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *act) learnSome(typ string, ids []string) error {
	if a.x.memory.asks >= maxMentionAsks {
		return nil
	}
	a.x.memory.asks++
	what := absent
	if !a.x.in.Grant.Reads(typ) {
		what = tellable
	}
	p, err := a.ask(rest.Request{Interaction: rest.SearchType, Type: typ, Query: []rest.Param{
		{Name: "_id", Values: ids}, {Name: "_count", Values: []string{strconv.Itoa(len(ids))}},
	}})
	switch {
	case errs.Is(err, errs.NotFound), errs.Is(err, errs.NotSupported):
		// The upstream does not have the type: there is nothing to hide.
		what = tellable
	case errs.Is(err, errs.Unprocessable):
		what = unknown
	case err != nil:
		return err
	default:
		legible := true
		_, err = eachPart(p, func(part []view.Entry) error {
			read, err := a.learnt(typ, part)
			legible = legible && read
			return err
		})
		if err != nil {
			return err
		}
		if !legible {
			what = unknown
		}
	}
	for _, id := range ids {
		ref := fhir.Reference{Type: typ, ID: id}
		if a.x.memory.mentions[ref] == unknown {
			a.x.recall(ref, what)
		}
		a.x.g.mentions.keep(a.x.mentioned(ref), a.x.memory.mentions[ref])
	}
	return nil
}

// learnt judges what was found; legible is false when some of it could not be read.
func (a *act) learnt(typ string, part []view.Entry) (legible bool, err error) {
	legible = true
	for _, e := range part {
		if e.Mode == "outcome" {
			continue
		}
		res, scanErr := view.Scan(a.x.g.local(e.Resource, ""))
		if scanErr != nil || res.Type != typ {
			legible = false
			continue
		}
		reachable, err := a.adopt(&res)
		if err != nil {
			return false, err
		}
		what := hidden
		if reachable {
			what = a.weighMention(res)
		}
		a.x.recall(fhir.Reference{Type: res.Type, ID: res.ID}, what)
	}
	return legible, nil
}

// learnPart is learn for a part of a bundle.
func (a *act) learnPart(part []view.Entry) error {
	raws := make([][]byte, 0, len(part))
	for _, e := range part {
		raws = append(raws, e.Resource)
	}
	return a.learn(raws...)
}

// withhold gives a resource without what it tells of those that are hidden (GW-08);
// nil for one that cannot be without it. What is absent is not told either: the
// answer would show which of the two it is. In the mode audit nothing is withheld.
func (a *act) withhold(raw []byte) ([]byte, error) {
	mode := a.x.g.d.Modes.Of("reference")
	if mode == access.Off {
		return raw, nil
	}
	if err := a.learn(raw); err != nil {
		return nil, err
	}
	secret := false
	view.Mentions(raw, func(text []byte) { secret = secret || a.drops(string(text), false) })
	if !secret {
		return raw, nil
	}
	if mode == access.Audit {
		a.notice(access.Decision{WouldDeny: []access.Reason{{Rule: "reference", Code: "refers-to-hidden"}}})
		return raw, nil
	}
	return view.Withhold(raw, a.drops)
}

func (a *act) drops(text string, needed bool) bool {
	ref, ok := a.x.g.localReference(text)
	if !ok {
		return false
	}
	what := a.told(ref)
	return what != tellable && !(needed && what == absent)
}

// foundBySecret reports whether a match met a reference parameter only by what is
// not told of: the answer would say that it is referred to.
func (a *act) foundBySecret(query []rest.Param, s sight) bool {
	return slices.ContainsFunc(query, func(p rest.Param) bool {
		refs := s.res.References[p.Name]
		if len(refs) == 0 || !slices.ContainsFunc(refs, a.secret) {
			return false
		}
		met := func(ref fhir.Reference) bool {
			return p.Modifier == "missing" || slices.ContainsFunc(p.Values, func(v string) bool { return v == ref.String() || v == ref.ID })
		}
		return slices.ContainsFunc(refs, func(ref fhir.Reference) bool { return met(ref) && a.secret(ref) }) &&
			!slices.ContainsFunc(refs, func(ref fhir.Reference) bool { return met(ref) && !a.secret(ref) })
	})
}

// secret reports whether nothing is told of a reference.
func (a *act) secret(ref fhir.Reference) bool {
	return a.x.g.d.Modes.Of("reference") == access.Enforce && a.told(ref) != tellable
}
