package dataset

import "time"

// Code systems and identifier systems in use.
const (
	sysLOINC     = "http://loinc.org"
	sysSNOMED    = "http://snomed.info/sct"
	sysRxNorm    = "http://www.nlm.nih.gov/research/umls/rxnorm"
	sysCVX       = "http://hl7.org/fhir/sid/cvx"
	sysUCUM      = "http://unitsofmeasure.org"
	sysICD10     = "http://hl7.org/fhir/sid/icd-10-cm"
	sysNPI       = "http://hl7.org/fhir/sid/us-npi"
	sysNUCC      = "http://nucc.org/provider-taxonomy"
	term         = "http://terminology.hl7.org/CodeSystem/"
	sysConf      = term + "v3-Confidentiality"
	sysActCode   = term + "v3-ActCode"
	usCore       = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
	usCoreCS     = "http://hl7.org/fhir/us/core/CodeSystem/"
	sysObsCat    = term + "observation-category"
	sysRole      = term + "v3-RoleCode"
	ownBase      = "https://mandate.example"
	sysMRN       = ownBase + "/id/mrn"
	sysEncounter = ownBase + "/id/encounter"
	sysDocument  = ownBase + "/id/document"
)

// code is one Coding.
type code struct{ sys, code, display string }

func loinc(c, display string) code  { return code{sysLOINC, c, display} }
func snomed(c, display string) code { return code{sysSNOMED, c, display} }
func rxnorm(c, display string) code { return code{sysRxNorm, c, display} }

// label is the security labelling of one resource: a confidentiality and the
// topics that explain it.
type label struct {
	conf   string
	topics []string
}

var (
	normal     = label{conf: "N"}
	restricted = label{conf: "R"}
)

func restrict(topics ...string) label { return label{conf: "R", topics: topics} }

func (d *doc) coding(c code) {
	d.item(func() { d.codingBody(c) })
}

func (d *doc) codingBody(c code) {
	d.str("system", c.sys)
	d.str("code", c.code)
	if c.display != "" {
		d.str("display", c.display)
	}
}

func (d *doc) conceptBody(cs ...code) {
	d.arr("coding", func() {
		for _, c := range cs {
			d.coding(c)
		}
	})
	if cs[0].display != "" {
		d.str("text", cs[0].display)
	}
}

// concept is one CodeableConcept whose codings mean the same.
func (d *doc) concept(k string, cs ...code) {
	d.obj(k, func() { d.conceptBody(cs...) })
}

// concepts is an array of CodeableConcepts of one coding each.
func (d *doc) concepts(k string, cs ...code) {
	d.arr(k, func() {
		for _, c := range cs {
			d.item(func() { d.conceptBody(c) })
		}
	})
}

func (d *doc) refBody(typ, id string) {
	d.key("reference")
	d.b = append(append(append(append(append(d.b, '"'), typ...), '/'), id...), '"')
}

func (d *doc) ref(k, typ, id string) {
	d.obj(k, func() { d.refBody(typ, id) })
}

func (d *doc) refTo(k string, r reference) {
	d.obj(k, func() {
		d.refBody(r.typ, r.id)
		if r.display != "" {
			d.str("display", r.display)
		}
	})
}

// reference names another resource; display may be empty.
type reference struct{ typ, id, display string }

// oneRef is an array of a single reference.
func (d *doc) oneRef(k string, r reference) {
	d.one(k, func() {
		d.refBody(r.typ, r.id)
		if r.display != "" {
			d.str("display", r.display)
		}
	})
}

func (d *doc) quantityBody(v float64, decimals int, unit, ucum string) {
	d.num("value", v, decimals)
	d.str("unit", unit)
	d.str("system", sysUCUM)
	d.str("code", ucum)
}

func (d *doc) quantity(k string, v float64, decimals int, unit, ucum string) {
	d.obj(k, func() { d.quantityBody(v, decimals, unit, ucum) })
}

func (d *doc) period(k string, start, end string) {
	d.obj(k, func() {
		d.str("start", start)
		if end != "" {
			d.str("end", end)
		}
	})
}

func (d *doc) identifier(use, sys, value string) {
	d.one("identifier", func() {
		if use != "" {
			d.str("use", use)
		}
		d.str("system", sys)
		d.str("value", value)
	})
}

func (d *doc) contact(sys, value, use string) {
	d.item(func() {
		d.str("system", sys)
		d.str("value", value)
		d.str("use", use)
	})
}

func (d *doc) postal(line, city, zip string) {
	d.strs("line", line)
	d.str("city", city)
	d.str("state", "MN")
	d.str("postalCode", zip)
	d.str("country", "US")
}

func (d *doc) narrative(plain string) {
	d.obj("text", func() {
		d.str("status", "generated")
		d.str("div", `<div xmlns="http://www.w3.org/1999/xhtml">`+plain+`</div>`)
	})
}

// dateOf formats a FHIR date.
func dateOf(t time.Time) string { return t.Format(time.DateOnly) }

// stampOf formats a FHIR dateTime or instant.
func stampOf(t time.Time) string { return t.Format(time.RFC3339) }
