package dataset

import "slices"

// targetsPerProvenance bounds the size of one Provenance.
const targetsPerProvenance = 24

// trail collects what Provenance has still to be written for. Restricted
// records go apart, so that a Provenance is never more open than its target.
type trail struct {
	plain, secret []reference
	topics        []string
}

func (t *trail) add(r reference, l label) {
	if l.conf != "R" {
		t.plain = append(t.plain, r)
		return
	}
	t.secret = append(t.secret, r)
	for _, topic := range l.topics {
		if !slices.Contains(t.topics, topic) {
			t.topics = append(t.topics, topic)
		}
	}
}

// provenance says who wrote the records of the patient, so that
// _revinclude=Provenance:target finds something for each of them (SMART US-26).
// Patient and RelatedPersons have one each of their own: whoever may not see
// one of them still sees where the rest comes from.
func (g *gen) provenance(p *person) {
	t := g.trail
	g.attest(p, p.id+"-prov-patient", []reference{p.ref()}, normal, orgPalliative)
	if kin := g.kin[p.id]; len(kin) > 0 {
		g.attest(p, p.id+"-prov-kin", kin, normal, orgPalliative)
	}
	n := 0
	for part := range slices.Chunk(t.plain, targetsPerProvenance) {
		n++
		g.attest(p, p.id+"-prov-"+num3(n), part, normal, orgPalliative)
	}
	if len(t.secret) > 0 {
		org := orgPalliative
		if slices.Contains(t.topics, "42CFRPart2") {
			org = orgPart2
		}
		g.attest(p, p.id+"-prov-r", t.secret, label{"R", t.topics}, org)
	}
	g.trail = trail{plain: t.plain[:0], secret: t.secret[:0]}
}

func (g *gen) attest(p *person, id string, targets []reference, l label, org string) {
	at, who := p.last().at, p.doctor()
	if org == orgPart2 {
		who = practitioners[4].ref()
	}
	g.fixed("Provenance", id, meta{at, "provenance", l}, func(d *doc) {
		d.arr("target", func() {
			for _, r := range targets {
				d.item(func() { d.refBody(r.typ, r.id) })
			}
		})
		d.str("recorded", stampOf(at))
		d.arr("agent", func() {
			d.item(func() {
				d.concept("type", code{term + "provenance-participant-type", "author", "Author"})
				d.refTo("who", who)
				d.ref("onBehalfOf", "Organization", org)
			})
			d.item(func() {
				d.concept("type", code{usCoreCS + "us-core-provenance-participant-type", "transmitter", "Transmitter"})
				d.ref("who", "Organization", org)
			})
		})
	})
}
