package dataset

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// seed makes the pseudo-random choices the same in every run. Each patient has
// a stream of its own, so that a change in one chart leaves the others alone.
const seed = 0x6d616e64617465

// person is a patient together with what the chart sections share.
type person struct {
	id, family, given, gender string
	birth                     time.Time
	heritage                  heritage
	index                     int // place in the cohort; decides the illness and the story
	scale                     int // how many times the usual amount of data
	minor                     bool
	died                      time.Time
	kin                       reference // the relative who appears in the care team
	illness                   illness
	story                     *story
	rng                       *rand.Rand
	visits                    []visit
	conditions, labs, orders  int // running numbers inside the chart
}

func (p *person) ref() reference { return reference{"Patient", p.id, p.given + " " + p.family} }

// speaker is who answers and writes for the patient: a parent for a small
// child.
func (p *person) speaker() reference {
	if p.illness.main == infantIllness.main {
		return p.kin
	}
	return p.ref()
}

// doctor is the practitioner responsible for the patient.
func (p *person) doctor() reference { return practitioners[p.index%len(palliativeTeam)].ref() }

func (p *person) years(at time.Time) int { return int(at.Sub(p.birth).Hours() / 24 / 365.2425) }

// between draws a number in [low, high) rounded to the given decimals.
func (p *person) between(low, high float64) float64 { return low + p.rng.Float64()*(high-low) }

// cohort lists all patients: the people of the examples first.
func (g *gen) cohort() []person {
	people := make([]person, 0, 4+len(patientNames))
	people = append(people,
		person{id: "rosa", family: "Alvarez", given: "Rosa", gender: "female", birth: g.day.AddDate(-79, -5, -3),
			heritage: heritages[latino], scale: 3, kin: reference{"RelatedPerson", "rosa-elena", "Elena Alvarez"}},
		person{id: "noah", family: "Whitfield", given: "Noah", gender: "male", birth: g.noahBirth(),
			heritage: heritages[1], scale: 1, kin: reference{"RelatedPerson", "noah-dana", "Dana Whitfield"}},
		person{id: "joaquin", family: "Alvarez", given: "Joaquin", gender: "male", birth: g.day.AddDate(-82, -2, -11),
			heritage: heritages[latino], scale: 1, kin: reference{"RelatedPerson", "joaquin-elena", "Elena Alvarez"}},
		person{id: "elena-own", family: "Alvarez", given: "Elena", gender: "female", birth: g.elenaBirth(),
			heritage: heritages[latino], scale: 1, kin: reference{"RelatedPerson", "elena-own-luis", "Luis Ortega"}},
	)
	for i, n := range patientNames {
		p := person{
			id: patientID(i), family: n.family, given: n.given, gender: n.gender,
			birth:    g.day.AddDate(-(48 + (i*7)%45), -(i*5)%12, -(i*11)%28),
			heritage: heritages[n.heritage], scale: 1,
			kin: reference{"RelatedPerson", patientID(i) + "-kin", n.relative + " " + n.family},
		}
		if n.relation == "MTH" {
			p.birth = g.day.AddDate(0, -16, -4) // an infant, for the head circumference profiles
		}
		if i%13 == 12 {
			p.died = g.on(-20-i, 4, 30)
		}
		people = append(people, p)
	}
	for i := range people {
		p := &people[i]
		p.index = i
		p.minor = p.years(g.day) < 18
		p.rng = rand.New(rand.NewPCG(seed, uint64(i)))
		p.illness = illnessOf(p, g.day)
		p.story = storyOf(p)
	}
	return people
}

func patientID(i int) string { return "p" + num3(i + 1)[1:] }

// noahBirth puts his 18th birthday on the day after the example Consent
// e5-teen-mother-limited ends (decision vector T28).
func (g *gen) noahBirth() time.Time {
	return time.Date(2029, 3, 9+g.shiftDays(), 0, 0, 0, 0, time.UTC).AddDate(-18, 0, 0)
}

// elenaBirth agrees with RelatedPerson/rosa-elena.
func (g *gen) elenaBirth() time.Time {
	return time.Date(1971, 6, 9+g.shiftDays(), 0, 0, 0, 0, time.UTC)
}

func (g *gen) patient(p *person) {
	joined := later(g.on(-900+p.index, 9, 0), p.birth.AddDate(0, 0, 3))
	marital := code{term + "v3-MaritalStatus", "M", "Married"}
	if p.minor {
		marital = code{term + "v3-MaritalStatus", "S", "Never Married"}
	}
	g.fixed("Patient", p.id, meta{joined, "patient", normal}, func(d *doc) {
		g.patientExtensions(p)
		d.one("identifier", func() {
			d.str("use", "usual")
			d.concept("type", code{term + "v2-0203", "MR", "Medical record number"})
			d.str("system", sysMRN)
			d.str("value", "MRN-"+strconv.Itoa(100234+p.index*37))
			d.ref("assigner", "Organization", orgPalliative)
		})
		d.bool("active", p.died.IsZero())
		g.patientName(p)
		d.arr("telecom", func() {
			d.contact("phone", "+1-218-555-0"+strconv.Itoa(200+p.index), "home")
			d.contact("email", p.id+"@example.com", "home")
		})
		d.str("gender", p.gender)
		d.str("birthDate", dateOf(p.birth))
		if !p.died.IsZero() {
			d.str("deceasedDateTime", stampOf(p.died))
		}
		g.addresses(p)
		d.concept("maritalStatus", marital)
		g.language(p)
		d.oneRef("generalPractitioner", p.doctor())
		d.ref("managingOrganization", "Organization", orgPalliative)
	})
}

// later is the later of two moments.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (g *gen) patientName(p *person) {
	d, renamed := &g.d, p.birth
	if p.index%4 == 2 && !p.minor {
		renamed = p.birth.AddDate(24, 0, 0)
	}
	d.arr("name", func() {
		d.item(func() {
			d.str("use", "official")
			d.str("text", p.given+" "+p.family)
			d.str("family", p.family)
			d.strs("given", p.given, "J.")
			if p.index%9 == 5 {
				d.strs("suffix", "Jr.")
			}
			d.obj("period", func() { d.str("start", dateOf(renamed)) })
		})
		if renamed != p.birth {
			d.item(func() {
				d.str("use", "old")
				d.str("family", "Carlson")
				d.strs("given", p.given)
				d.period("period", dateOf(p.birth), dateOf(renamed))
			})
		}
	})
}

func (g *gen) addresses(p *person) {
	d, town := &g.d, towns[p.index%len(towns)]
	line := strconv.Itoa(100+p.index*13) + " " + streets[p.index%len(streets)]
	d.arr("address", func() {
		d.item(func() {
			d.str("use", "home")
			d.postal(line, town.city, town.zip)
			d.obj("period", func() { d.str("start", dateOf(later(g.day.AddDate(-6, 0, 0), p.birth))) })
		})
		if p.index%5 == 0 && !p.minor {
			d.item(func() {
				d.str("use", "old")
				d.postal("9 Canal Park Drive", "Duluth", "55802")
				d.period("period", dateOf(g.day.AddDate(-12, 0, 0)), dateOf(g.day.AddDate(-6, 0, 0)))
			})
		}
	})
}

func (g *gen) language(p *person) {
	lang := code{"urn:ietf:bcp:47", "en-US", "English (United States)"}
	if p.heritage == heritages[latino] {
		lang = code{"urn:ietf:bcp:47", "es", "Spanish"}
	}
	g.d.one("communication", func() {
		g.d.concept("language", lang)
		g.d.bool("preferred", true)
	})
}

// patientExtensions writes the US Core 6.1 demographic extensions.
func (g *gen) patientExtensions(p *person) {
	d, h := &g.d, p.heritage
	birthsex, sex := "F", code{sysSNOMED, "248152002", "Female"}
	identity := code{sysSNOMED, "446141000124107", "Identifies as female gender (finding)"}
	if p.gender == "male" {
		birthsex, sex = "M", code{sysSNOMED, "248153007", "Male"}
		identity = code{sysSNOMED, "446151000124109", "Identifies as male gender (finding)"}
	}
	d.arr("extension", func() {
		g.ombExtension("race", code{"urn:oid:2.16.840.1.113883.6.238", h.race, h.raceName},
			code{"urn:oid:2.16.840.1.113883.6.238", h.detailed, h.detailedName})
		g.ombExtension("ethnicity", code{"urn:oid:2.16.840.1.113883.6.238", h.ethnicity, h.ethnicityName}, code{})
		d.item(func() { d.str("url", usCore+"birthsex"); d.str("valueCode", birthsex) })
		d.item(func() { d.str("url", usCore+"sex"); d.str("valueCode", sex.code) })
		d.item(func() { d.str("url", usCore+"genderIdentity"); d.concept("valueCodeableConcept", identity) })
		if h.race == "1002-5" {
			d.item(func() { g.tribe() })
		}
	})
}

func (g *gen) tribe() {
	d := &g.d
	d.arr("extension", func() {
		d.item(func() {
			d.str("url", "tribalAffiliation")
			d.concept("valueCodeableConcept", code{term + "v3-TribalEntityUS", "170", "Minnesota Chippewa Tribe, Minnesota"})
		})
		d.item(func() { d.str("url", "isEnrolled"); d.bool("valueBoolean", true) })
	})
	d.str("url", usCore+"tribal-affiliation")
}

func (g *gen) ombExtension(name string, omb, detailed code) {
	d := &g.d
	d.item(func() {
		d.arr("extension", func() {
			d.item(func() {
				d.str("url", "ombCategory")
				d.obj("valueCoding", func() { d.codingBody(omb) })
			})
			if detailed.code != "" && detailed.code != omb.code {
				d.item(func() {
					d.str("url", "detailed")
					d.obj("valueCoding", func() { d.codingBody(detailed) })
				})
			}
			d.item(func() { d.str("url", "text"); d.str("valueString", omb.display) })
		})
		d.str("url", usCore+name)
	})
}
