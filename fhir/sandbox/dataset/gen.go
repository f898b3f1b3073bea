package dataset

import (
	"strconv"
	"time"
)

// unlabelledEvery is the distance between two clinical resources that carry no
// security label: 1 in 50 is the documented 2 %.
const unlabelledEvery = 50

// slabBytes is the size of the arrays that hold the resources, so that 14,000
// of them cost some twenty allocations and no large copies.
const slabBytes = 1 << 20

// gen holds the state of one generation.
type gen struct {
	day      time.Time      // the start day, 00:00 UTC
	zone     *time.Location // the clinic's clock, UTC-6 all year
	d        doc
	out      []Resource
	clinical int // clinical resources so far
	trail    trail
	kin      map[string][]reference // RelatedPersons by the patient's id
}

// meta is what goes into Resource.meta.
type meta struct {
	at      time.Time // when it happened; lastUpdated is this, at most the start day
	profile string    // US Core profile name after "us-core-", or empty
	label   label
}

func newGen(start time.Time, hint int) *gen {
	day := start.UTC().Truncate(24 * time.Hour)
	return &gen{
		day:  day,
		zone: time.FixedZone("", -6*60*60),
		out:  make([]Resource, 0, hint),
	}
}

// on returns a moment so many days after the start day (negative: before), at
// the given hour and minute of the clinic's clock.
func (g *gen) on(days, hour, minute int) time.Time {
	return time.Date(g.day.Year(), g.day.Month(), g.day.Day()+days, hour, minute, 0, 0, g.zone)
}

// fixed writes a resource that is always labelled.
func (g *gen) fixed(typ, id string, m meta, body func(d *doc)) {
	g.put(typ, id, m, true, body)
}

// record writes a clinical resource of a patient; each unlabelledEvery-th of
// them carries no label. Both kinds enter the patient's Provenance.
func (g *gen) record(typ, id string, m meta, body func(d *doc)) {
	g.clinical++
	g.put(typ, id, m, g.clinical%unlabelledEvery != 0, body)
	g.trail.add(reference{typ: typ, id: id}, m.label)
}

// pinned writes a clinical resource that has a fixed id or is named by many
// others: always labelled, and in the patient's Provenance.
func (g *gen) pinned(typ, id string, m meta, body func(d *doc)) {
	g.put(typ, id, m, true, body)
	g.trail.add(reference{typ: typ, id: id}, m.label)
}

// writer chooses between record and pinned.
func (g *gen) writer(pinned bool) func(string, string, meta, func(*doc)) {
	if pinned {
		return g.pinned
	}
	return g.record
}

func (g *gen) put(typ, id string, m meta, labelled bool, body func(d *doc)) {
	if cap(g.d.b)-len(g.d.b) < 16<<10 {
		g.d.b = make([]byte, 0, slabBytes)
	}
	from := len(g.d.b)
	d := &g.d
	d.b = append(d.b, `{"resourceType":"`...)
	d.b = append(append(d.b, typ...), '"')
	d.str("id", id)
	d.obj("meta", func() { g.metaBody(m, labelled) })
	body(d)
	d.b = append(d.b, '}')
	g.out = append(g.out, Resource{Type: typ, ID: id, JSON: d.b[from:len(d.b):len(d.b)]})
}

func (g *gen) metaBody(m meta, labelled bool) {
	d := &g.d
	updated := m.at
	if updated.IsZero() || updated.After(g.day) {
		updated = g.day
	}
	d.str("versionId", "1")
	d.key("lastUpdated")
	d.b = append(d.b, '"')
	d.b = updated.UTC().AppendFormat(d.b, "2006-01-02T15:04:05.000Z07:00")
	d.b = append(d.b, '"')
	if m.profile != "" {
		d.strs("profile", profileURL(m.profile))
	}
	if !labelled {
		return
	}
	d.arr("security", func() {
		d.coding(code{sysConf, m.label.conf, confidentiality(m.label.conf)})
		for _, t := range m.label.topics {
			d.coding(code{sysActCode, t, ""})
		}
	})
}

// profileURL adds the canonical prefix; the children's percentiles lack the
// "us-core-" of all others.
func profileURL(name string) string {
	switch name {
	case "pediatric-bmi-for-age", "pediatric-weight-for-height", "head-occipital-frontal-circumference-percentile":
		return "http://hl7.org/fhir/us/core/StructureDefinition/" + name
	}
	return usCore + name
}

func confidentiality(c string) string {
	if c == "R" {
		return "restricted"
	}
	return "normal"
}

// num3 is n as three digits, so that ids sort as they were made.
func num3(n int) string {
	s := strconv.Itoa(n)
	return "000"[:max(0, 3-len(s))] + s
}
