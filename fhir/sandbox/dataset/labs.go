package dataset

// analyte is one laboratory test with its usual range; patients vary around it
// so that some results are low or high.
type analyte struct {
	what       code
	unit, ucum string
	low, high  float64
	decimals   int
}

// panel is a group of analytes ordered and reported together.
type panel struct {
	what     code
	specimen code
	analytes []analyte
}

var venousBlood = snomed("122555007", "Venous blood specimen")

var panels = [...]panel{
	{loinc("58410-2", "CBC panel - Blood by Automated count"), venousBlood, []analyte{
		{loinc("6690-2", "Leukocytes [#/volume] in Blood by Automated count"), "10*3/uL", "10*3/uL", 4.5, 11, 1},
		{loinc("789-8", "Erythrocytes [#/volume] in Blood by Automated count"), "10*6/uL", "10*6/uL", 3.9, 5.4, 2},
		{loinc("718-7", "Hemoglobin [Mass/volume] in Blood"), "g/dL", "g/dL", 12, 16.5, 1},
		{loinc("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"), "%", "%", 36, 48, 1},
		{loinc("787-2", "MCV [Entitic volume] by Automated count"), "fL", "fL", 80, 96, 0},
		{loinc("777-3", "Platelets [#/volume] in Blood by Automated count"), "10*3/uL", "10*3/uL", 150, 400, 0},
	}},
	{loinc("24323-8", "Comprehensive metabolic 2000 panel - Serum or Plasma"), snomed("119364003", "Serum specimen"), []analyte{
		{loinc("2345-7", "Glucose [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 70, 110, 0},
		{loinc("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 7, 20, 0},
		{loinc("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 0.6, 1.3, 2},
		{loinc("2951-2", "Sodium [Moles/volume] in Serum or Plasma"), "mmol/L", "mmol/L", 136, 145, 0},
		{loinc("2823-3", "Potassium [Moles/volume] in Serum or Plasma"), "mmol/L", "mmol/L", 3.5, 5.1, 1},
		{loinc("2075-0", "Chloride [Moles/volume] in Serum or Plasma"), "mmol/L", "mmol/L", 98, 107, 0},
		{loinc("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma"), "mmol/L", "mmol/L", 22, 29, 0},
		{loinc("17861-6", "Calcium [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 8.6, 10.2, 1},
		{loinc("1751-7", "Albumin [Mass/volume] in Serum or Plasma"), "g/dL", "g/dL", 3.5, 5, 1},
		{loinc("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 0.2, 1.2, 1},
		{loinc("6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma"), "U/L", "U/L", 40, 129, 0},
		{loinc("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma"), "U/L", "U/L", 7, 41, 0},
	}},
	{loinc("24331-1", "Lipid 1996 panel - Serum or Plasma"), snomed("119364003", "Serum specimen"), []analyte{
		{loinc("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 120, 200, 0},
		{loinc("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 50, 150, 0},
		{loinc("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma"), "mg/dL", "mg/dL", 40, 60, 0},
		{loinc("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"), "mg/dL", "mg/dL", 50, 130, 0},
	}},
}

// panelsAt says which panels are drawn at the n-th visit.
func panelsAt(p *person, n int) []panel {
	switch {
	case p.scale > 1 && n%6 == 5:
		return panels[:]
	case p.scale > 1:
		return panels[:2]
	case n%5 == 4:
		return panels[2:]
	}
	return panels[n%2 : n%2+1]
}

// labs writes the order, the specimen, the results and the report of each
// panel.
func (g *gen) labs(p *person) {
	for n, v := range p.visits {
		for _, k := range panelsAt(p, n) {
			g.panel(p, v, k)
		}
	}
	g.urine(p)
}

func (g *gen) panel(p *person, v visit, k panel) {
	p.orders++
	number := num3(p.orders)
	order, specimen, from := p.id+"-order-"+number, p.id+"-spec-"+number, p.labs+1
	g.labOrder(p, v, order, k.what)
	g.specimen(p, v, specimen, k.specimen)
	for _, a := range k.analytes {
		p.labs++
		g.result(p, v, a, specimen)
	}
	g.labReport(p, reportFacts{id: p.id + "-labrep-" + number, v: v, what: k.what, order: order, specimen: specimen, from: from, to: p.labs, label: normal})
}

// urine writes the two results that are a code and a text, not a quantity.
func (g *gen) urine(p *person) {
	lab := reference{"Organization", orgLab, "Lakeside Laboratory"}
	g.observe(p, observation{
		id: p.id + "-lab-nitrite", profile: "observation-lab", cats: []code{catLab},
		what: []code{loinc("5802-4", "Nitrite [Presence] in Urine by Test strip")}, v: p.last(), performer: lab,
		value: func(d *doc) {
			d.concept("valueCodeableConcept", snomed("260385009", "Negative (qualifier value)"))
		},
	})
	g.observe(p, observation{
		id: p.id + "-lab-colour", profile: "observation-lab", cats: []code{catLab},
		what: []code{loinc("5778-6", "Color of Urine")}, v: p.last(), performer: lab,
		value: func(d *doc) { d.str("valueString", "Yellow") },
	})
}

// result writes one measured value; every 61st could not be measured.
func (g *gen) result(p *person, v visit, a analyte, specimen string) {
	span := a.high - a.low
	value := p.between(max(a.low-span*0.25, a.low*0.6), a.high+span*0.25)
	g.observe(p, observation{
		id: p.id + "-lab-" + num3(p.labs), profile: "observation-lab",
		cats: []code{catLab}, what: []code{a.what}, v: v,
		performer: reference{"Organization", orgLab, "Lakeside Laboratory"}, specimen: specimen,
		value: func(d *doc) {
			if p.labs%61 == 0 {
				d.dataAbsent("error", "Error")
				return
			}
			d.quantity("valueQuantity", value, a.decimals, a.unit, a.ucum)
			d.concepts("interpretation", interpret(value, a))
			d.one("referenceRange", func() {
				d.quantity("low", a.low, a.decimals, a.unit, a.ucum)
				d.quantity("high", a.high, a.decimals, a.unit, a.ucum)
			})
		},
	})
}

func interpret(v float64, a analyte) code {
	sys := term + "v3-ObservationInterpretation"
	switch {
	case v < a.low:
		return code{sys, "L", "Low"}
	case v > a.high:
		return code{sys, "H", "High"}
	}
	return code{sys, "N", "Normal"}
}

func (g *gen) labOrder(p *person, v visit, id string, what code) {
	g.record("ServiceRequest", id, meta{v.at, "servicerequest", normal}, func(d *doc) {
		g.orderBody(p, v, orderFacts{what, snomed("108252007", "Laboratory procedure"), p.illness.main, p.doctor()})
	})
}

// orderedProcedure is the category of orders that take a while.
const orderedProcedure = "71388002"

// orderFacts says what is ordered, by whom and why.
type orderFacts struct {
	what, category, reason code
	requester              reference
}

func (g *gen) orderBody(p *person, v visit, f orderFacts) {
	d := &g.d
	d.str("status", "completed")
	d.str("intent", "order")
	d.concepts("category", f.category)
	d.concept("code", f.what)
	d.refTo("subject", p.ref())
	d.ref("encounter", "Encounter", v.id)
	if f.category.code == orderedProcedure {
		d.period("occurrencePeriod", v.stamp, v.stamp)
	} else {
		d.str("occurrenceDateTime", v.stamp)
	}
	d.str("authoredOn", v.stamp)
	d.refTo("requester", f.requester)
	d.concepts("reasonCode", f.reason)
}

func (g *gen) specimen(p *person, v visit, id string, kind code) {
	g.record("Specimen", id, meta{v.at, "specimen", normal}, func(d *doc) {
		d.identifier("", ownBase+"/id/specimen", id)
		d.obj("accessionIdentifier", func() {
			d.str("system", ownBase+"/id/accession")
			d.str("value", "ACC-"+id)
		})
		d.str("status", "available")
		d.concept("type", kind)
		d.refTo("subject", p.ref())
		d.str("receivedTime", v.stamp)
		d.obj("collection", func() {
			d.refTo("collector", p.doctor())
			d.str("collectedDateTime", v.stamp)
			d.concept("bodySite", snomed("368208006", "Left upper arm structure"))
		})
		d.concepts("condition", code{term + "v2-0493", "COOL", "Cool"})
	})
}

type reportFacts struct {
	id, order, specimen string
	v                   visit
	what                code
	from, to            int // numbers of the first and the last result
	label               label
}

func (g *gen) labReport(p *person, f reportFacts) {
	g.record("DiagnosticReport", f.id, meta{f.v.at, "diagnosticreport-lab", f.label}, func(d *doc) {
		d.oneRef("basedOn", reference{typ: "ServiceRequest", id: f.order})
		d.str("status", "final")
		d.concepts("category", code{term + "v2-0074", "LAB", "Laboratory"})
		d.concept("code", f.what)
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", f.v.id)
		d.str("effectiveDateTime", f.v.stamp)
		d.str("issued", f.v.stamp)
		d.oneRef("performer", reference{"Organization", orgLab, "Lakeside Laboratory"})
		d.oneRef("resultsInterpreter", practitioners[8].ref())
		d.oneRef("specimen", reference{typ: "Specimen", id: f.specimen})
		d.arr("result", func() {
			for n := f.from; n <= f.to; n++ {
				d.item(func() { d.refBody("Observation", p.id+"-lab-"+num3(n)) })
			}
		})
	})
}
