package dataset

import "strconv"

// relatedPersons writes those of the examples and one for each other patient.
func (g *gen) relatedPersons() {
	for _, id := range []string{
		"rosa-elena", "rosa-marcus", "rosa-tomas", "rosa-victor", "rosa-ines",
		"rosa-marcus-executor", "noah-dana", "joaquin-elena",
	} {
		g.example("rp-" + id + ".json")
	}
	g.relative(relative{id: "elena-own-luis", patient: "elena-own", given: "Luis", family: "Ortega", relation: "HUSB"}, 90)
	for i, n := range patientNames {
		id := patientID(i)
		g.relative(relative{id: id + "-kin", patient: id, given: n.relative, family: n.family, relation: n.relation}, i)
	}
}

// relatedTo lists the RelatedPersons by the id of their patient.
func relatedTo(set []Resource) map[string][]reference {
	out := map[string][]reference{}
	for _, r := range set {
		if r.Type == "RelatedPerson" {
			patient := stringAfter(r.JSON, `"patient":{"reference":"Patient/`)
			out[patient] = append(out[patient], reference{typ: r.Type, id: r.ID})
		}
	}
	return out
}

type relative struct{ id, patient, given, family, relation string }

func (g *gen) relative(r relative, i int) {
	relation, town := relations[r.relation], towns[i%len(towns)]
	at := g.on(-400-i, 10, 0)
	g.fixed("RelatedPerson", r.id, meta{at, "relatedperson", normal}, func(d *doc) {
		d.identifier("", ownBase+"/id/account", "acct-"+r.id)
		d.bool("active", true)
		d.ref("patient", "Patient", r.patient)
		d.concepts("relationship",
			code{sysRole, r.relation, relation.display},
			code{term + "v2-0131", "C", "Emergency Contact"})
		d.one("name", func() {
			d.str("use", "official")
			d.str("family", r.family)
			d.strs("given", r.given)
		})
		d.arr("telecom", func() {
			d.contact("phone", "+1-218-555-0"+strconv.Itoa(300+i), "mobile")
			d.contact("email", r.id+"@example.com", "home")
		})
		d.str("gender", relation.gender)
		d.str("birthDate", dateOf(g.day.AddDate(-38-i%40, 0, -i)))
		d.one("address", func() {
			d.str("use", "home")
			d.postal(strconv.Itoa(100+i*13)+" "+streets[i%len(streets)], town.city, town.zip)
		})
		d.obj("period", func() { d.str("start", dateOf(at)) })
	})
}
