package consent

import (
	"cmp"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// maxDepth is the depth of provisions that is understood: a root and one
// level of exceptions (CN-26).
const maxDepth = 2

// dimension names the elements by which a provision restricts itself.
type dimension uint16

const (
	dimType dimension = 1 << iota
	dimPeriod
	dimActor
	dimAction
	dimLabel
	dimPurpose
	dimClass
	dimCode
	dimDataPeriod
	dimData
)

func (d dimension) has(x dimension) bool { return d&x != 0 }

// Actor is one actor of a provision.
type Actor struct {
	Reference fhir.Reference
	// Roles are the codings of actor.role.
	Roles []fhir.Coding
}

// Datum is one entry of provision.data.
type Datum struct {
	// Meaning is instance, related, dependents or authoredby.
	Meaning   string
	Reference fhir.Reference
}

// Provision is one rule of a Consent as read. An empty list stands for "not
// restricted" unless the element was present and unreadable.
type Provision struct {
	// Type is permit, deny or "" (absent or unknown).
	Type     string
	Period   fhir.Period
	Actors   []Actor
	Purposes []fhir.Coding
	// Actions are the codings of action: consentaction and portal-function.
	Actions []fhir.Coding
	Labels  []fhir.Coding
	Classes []fhir.Coding
	Codes   []fhir.Coding
	// DataPeriod restricts the dates of the data itself.
	DataPeriod fhir.Period
	Data       []Datum
	Nested     []Provision

	// stated marks elements that are present, unread those among them that
	// could not be understood.
	stated, unread dimension
	// offset is the one that the period writes, or the period around it.
	offset *time.Location
}

const keysProvision = " id extension type period actor action securityLabel purpose class code" +
	" dataPeriod data provision "

func (r *reader) provision(v value, path string, depth int, around *time.Location) (p Provision, present bool) {
	m := r.object(v, path, keysProvision)
	if m.absent() {
		return p, !v.absent()
	}
	note := func(d dimension, stated value, read bool) {
		if !stated.absent() {
			p.stated |= d
		}
		if !read {
			p.unread |= d
		}
	}
	p.Type = r.text(m.get("type"), r.sub(path, "type"))
	known := p.Type == "" || p.Type == "permit" || p.Type == "deny"
	if !known {
		r.fault(path + ".type")
		p.Type = ""
	}
	note(dimType, m.get("type"), known)
	p.offset = cmp.Or(offsetOf(m.get("period")), around)
	zone := r.days(p.offset)
	var ok bool
	p.Period, ok = r.period(m.get("period"), r.sub(path, "period"), zone)
	note(dimPeriod, m.get("period"), ok)
	p.Actors, ok = r.actors(m.get("actor"), r.sub(path, "actor"))
	note(dimActor, m.get("actor"), ok)
	p.Actions, ok = r.concepts(m.get("action"), r.sub(path, "action"))
	note(dimAction, m.get("action"), ok)
	p.Labels, ok = r.codings(m.get("securityLabel"), r.sub(path, "securityLabel"))
	note(dimLabel, m.get("securityLabel"), ok)
	p.Purposes, ok = r.codings(m.get("purpose"), r.sub(path, "purpose"))
	note(dimPurpose, m.get("purpose"), ok)
	p.Classes, ok = r.codings(m.get("class"), r.sub(path, "class"))
	note(dimClass, m.get("class"), ok)
	p.Codes, ok = r.concepts(m.get("code"), r.sub(path, "code"))
	note(dimCode, m.get("code"), ok)
	p.DataPeriod, ok = r.period(m.get("dataPeriod"), r.sub(path, "dataPeriod"), offsetOf(m.get("period")))
	note(dimDataPeriod, m.get("dataPeriod"), ok)
	p.Data, ok = r.data(m.get("data"), r.sub(path, "data"))
	note(dimData, m.get("data"), ok)
	r.nested(m.get("provision"), r.sub(path, "provision"), depth+1, &p)
	return p, true
}

func (r *reader) nested(v value, path string, depth int, p *Provision) {
	l, _ := r.list(v, path)
	if l.len() > 0 && depth > maxDepth {
		r.fault(path)
		return
	}
	for i := range l.len() {
		n, present := r.provision(l.item(i), r.at(path, i), depth, p.offset)
		if !present || n.Type == "" {
			r.fault(r.at(path, i) + ".type")
		}
		p.Nested = append(p.Nested, n)
	}
}

func (r *reader) actors(v value, path string) (out []Actor, ok bool) {
	l, ok := r.list(v, path)
	for i := range l.len() {
		at := r.at(path, i)
		m := r.object(l.item(i), at, " id extension role reference ")
		if m.absent() {
			r.fault(at)
			ok = false
			continue
		}
		roles, _ := r.concept(m.get("role"), r.sub(at, "role"))
		ref, readable := r.reference(m.get("reference"), r.sub(at, "reference"))
		if !readable {
			ok = false
			continue
		}
		out = append(out, Actor{Reference: ref, Roles: roles})
	}
	return out, ok
}

func (r *reader) data(v value, path string) (out []Datum, ok bool) {
	l, ok := r.list(v, path)
	for i := range l.len() {
		at := r.at(path, i)
		m := r.object(l.item(i), at, " id extension meaning reference ")
		if m.absent() {
			r.fault(at)
			ok = false
			continue
		}
		meaning := r.text(m.get("meaning"), r.sub(at, "meaning"))
		ref, readable := r.reference(m.get("reference"), r.sub(at, "reference"))
		switch meaning {
		case "instance", "related", "dependents", "authoredby":
		default:
			r.fault(at + ".meaning")
			readable = false
		}
		if !readable {
			ok = false
			continue
		}
		out = append(out, Datum{Meaning: meaning, Reference: ref})
	}
	return out, ok
}

// period reads a Period; a reversed or empty one is not understood.
func (r *reader) period(v value, path string, zone *time.Location) (fhir.Period, bool) {
	if v.absent() {
		return fhir.Period{}, true
	}
	m := r.object(v, path, keysPeriod)
	if m.absent() {
		return fhir.Period{}, false
	}
	start, startOK := r.date(m.get("start"), r.sub(path, "start"), zone)
	end, endOK := r.date(m.get("end"), r.sub(path, "end"), zone)
	p := fhir.Period{Start: start.Start, End: lastInstant(m.get("end"), end)}
	if !startOK || !endOK || (p.Start.IsZero() && p.End.IsZero()) ||
		(!p.Start.IsZero() && !p.End.IsZero() && p.End.Before(p.Start)) {
		r.fault(path)
		return fhir.Period{}, false
	}
	return p, true
}

// lastInstant gives the end of a period. An end written to the second or
// finer means that instant, so that a token never outlives what was written.
func lastInstant(v value, end fhir.Period) time.Time {
	if len(v.str()) >= len("2006-01-02T15:04:05Z") {
		return end.Start
	}
	return end.End
}

// date reads a dateTime of any precision. One without a time of day counts in
// the given zone, since a patient's last day ends at the patient's midnight.
func (r *reader) date(v value, path string, zone *time.Location) (fhir.Period, bool) {
	if v.absent() {
		return fhir.Period{}, true
	}
	s := r.text(v, path)
	p, ok := fhir.ParseDate(s)
	if !ok {
		r.fault(path)
		return fhir.Period{}, false
	}
	if !strings.Contains(s, "T") && zone != nil {
		p = fhir.InZone(p, zone)
	}
	return p, true
}

// offsetOf gives the offset written in a period, of its end if possible.
func offsetOf(m value) *time.Location {
	if z := offset(m.get("end")); z != nil {
		return z
	}
	return offset(m.get("start"))
}

func offset(v value) *time.Location {
	t, err := time.Parse(time.RFC3339Nano, v.str())
	if err != nil {
		return nil
	}
	_, seconds := t.Zone()
	return time.FixedZone("", seconds)
}

// days gives the zone in which dates without a time of day count: the patient's,
// else the offset written nearby, else that of Consent.dateTime; nil means UTC.
func (r *reader) days(nearby *time.Location) *time.Location {
	return cmp.Or(r.zone, nearby, r.written)
}

func (p Provision) nests(typ string) bool {
	for _, n := range p.Nested {
		if n.Type == typ {
			return true
		}
	}
	return false
}
