package dataset

import "math"

// vitalSign is one simple vital sign.
type vitalSign struct {
	name, profile string
	what          []code
	unit, ucum    string
	low, high     float64
	decimals      int
}

var vitalSigns = [...]vitalSign{
	{"hr", "heart-rate", []code{loinc("8867-4", "Heart rate")}, "beats/minute", "/min", 58, 104, 0},
	{"rr", "respiratory-rate", []code{loinc("9279-1", "Respiratory rate")}, "breaths/minute", "/min", 12, 24, 0},
	{"temp", "body-temperature", []code{loinc("8310-5", "Body temperature")}, "Cel", "Cel", 36.1, 38.1, 1},
}

// vitals writes the signs of each visit, the children's percentiles for
// children.
func (g *gen) vitals(p *person) {
	height := p.between(152, 186)
	weight := p.between(48, 88)
	switch years := p.years(g.day); {
	case years < 3:
		height, weight = 74, 8.9
	case years < 18:
		height, weight = 158, 46
	}
	for n, v := range p.visits {
		pre := p.id + "-vs-" + num3(n+1) + "-"
		g.bloodPressure(p, v, pre+"bp")
		g.oxygen(p, v, pre+"spo2")
		for _, s := range vitalSigns {
			g.vital(p, v, pre+s.name, s, p.between(s.low, s.high))
		}
		now := weight * (1 - 0.004*float64(n))
		g.vital(p, v, pre+"wt", vitalSign{profile: "body-weight", what: []code{loinc("29463-7", "Body weight")}, unit: "kg", ucum: "kg", decimals: 1}, now)
		if n%4 == 0 {
			g.bodySize(p, v, pre, height, now)
		}
	}
}

func (g *gen) bodySize(p *person, v visit, pre string, height, weight float64) {
	bmi := weight / math.Pow(height/100, 2)
	g.vital(p, v, pre+"ht", vitalSign{profile: "body-height", what: []code{loinc("8302-2", "Body height")}, unit: "cm", ucum: "cm", decimals: 0}, height)
	g.vital(p, v, pre+"bmi", vitalSign{profile: "bmi", what: []code{loinc("39156-5", "Body mass index (BMI) [Ratio]")}, unit: "kg/m2", ucum: "kg/m2", decimals: 1}, bmi)
	years := p.years(v.at)
	if years < 3 {
		g.vital(p, v, pre+"hc", vitalSign{profile: "head-circumference", what: []code{loinc("9843-4", "Head Occipital-frontal circumference")}, unit: "cm", ucum: "cm", decimals: 1}, 45.5)
		g.vital(p, v, pre+"hcp", vitalSign{profile: "head-occipital-frontal-circumference-percentile", what: []code{loinc("8289-1", "Head Occipital-frontal circumference Percentile")}, unit: "%", ucum: "%", decimals: 0}, 34)
		g.vital(p, v, pre+"wfl", vitalSign{profile: "pediatric-weight-for-height", what: []code{loinc("77606-2", "Weight-for-length Per age and sex")}, unit: "%", ucum: "%", decimals: 0}, 18)
	} else if years < 20 {
		g.vital(p, v, pre+"bmip", vitalSign{profile: "pediatric-bmi-for-age", what: []code{loinc("59576-9", "Body mass index (BMI) [Percentile] Per age and sex")}, unit: "%", ucum: "%", decimals: 0}, 41)
	}
}

func (g *gen) vital(p *person, v visit, id string, s vitalSign, value float64) {
	g.observe(p, observation{
		id: id, profile: s.profile, cats: []code{catVital}, what: s.what, v: v,
		value: func(d *doc) {
			if v.remote() && s.name != "" {
				d.dataAbsent("not-performed", "Not Performed")
				return
			}
			d.quantity("valueQuantity", value, s.decimals, s.unit, s.ucum)
		},
	})
}

func (g *gen) bloodPressure(p *person, v visit, id string) {
	upper := p.between(98, 158)
	lower := upper*0.5 + p.between(4, 14)
	g.observe(p, observation{
		id: id, profile: "blood-pressure", cats: []code{catVital},
		what: []code{loinc("85354-9", "Blood pressure panel with all children optional")}, v: v,
		value: func(d *doc) {
			d.arr("component", func() {
				d.component(loinc("8480-6", "Systolic blood pressure"), upper, "mmHg", "mm[Hg]")
				diastolic := loinc("8462-4", "Diastolic blood pressure")
				if v.remote() {
					d.item(func() { d.concept("code", diastolic); d.dataAbsent("not-performed", "Not Performed") })
					return
				}
				d.component(diastolic, lower, "mmHg", "mm[Hg]")
			})
		},
	})
}

func (g *gen) oxygen(p *person, v visit, id string) {
	saturation, flow := p.between(88, 99), p.between(0, 4)
	g.observe(p, observation{
		id: id, profile: "pulse-oximetry", cats: []code{catVital},
		what: []code{
			loinc("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
			loinc("2708-6", "Oxygen saturation in Arterial blood"),
		}, v: v,
		value: func(d *doc) {
			d.quantity("valueQuantity", saturation, 0, "%", "%")
			d.arr("component", func() {
				d.component(loinc("3151-8", "Inhaled oxygen flow rate"), flow, "L/min", "L/min")
				d.component(loinc("3150-6", "Inhaled oxygen concentration"), 21+4*flow, "%", "%")
			})
		},
	})
}

func (d *doc) component(what code, value float64, unit, ucum string) {
	d.item(func() {
		d.concept("code", what)
		d.quantity("valueQuantity", value, 0, unit, ucum)
	})
}
