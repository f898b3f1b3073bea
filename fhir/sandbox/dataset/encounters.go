package dataset

import "time"

// visit is one Encounter with what the resources made during it need.
type visit struct {
	id    string
	at    time.Time
	stamp string // at as a FHIR dateTime
	date  string
	kind  int // index into visitKinds
}

// visitKind is the class, the type and the length of an Encounter.
type visitKind struct {
	class   code
	typ     code
	minutes int
	place   string
}

var visitKinds = [...]visitKind{
	{code{term + "v3-ActCode", "AMB", "ambulatory"}, snomed("390906007", "Follow-up encounter"), 40, locClinic},
	{code{term + "v3-ActCode", "HH", "home health"}, snomed("439708006", "Home visit"), 60, "home-visits"},
	{code{term + "v3-ActCode", "VR", "virtual"}, snomed("448337001", "Telemedicine consultation with patient"), 20, "home-visits"},
	{code{term + "v3-ActCode", "IMP", "inpatient encounter"}, snomed("32485007", "Hospital admission"), 3 * 24 * 60, locWard},
}

// visitsPerChart is the usual number of visits of a chart of scale 1 over two years.
const visitsPerChart = 8

// plan lists the past visits of a patient, the oldest first.
func (g *gen) plan(p *person) {
	count := visitsPerChart
	if p.scale > 1 {
		count = visitsPerChart*p.scale - 4
	}
	step := 640 / count
	for n := range count {
		kind := []int{0, 0, 1, 2, 1, 0, 3}[(n+p.index)%7]
		at := g.on(-5-(count-1-n)*step-p.rng.IntN(4), 9+p.rng.IntN(7), 15*p.rng.IntN(4))
		if at.Before(p.birth.AddDate(0, 0, 10)) || (!p.died.IsZero() && at.After(p.died.AddDate(0, 0, -4))) {
			continue
		}
		p.visits = append(p.visits, visit{
			id: p.id + "-enc-" + num3(n+1), at: at, stamp: stampOf(at), date: dateOf(at), kind: kind,
		})
	}
}

// remote tells a visit by video, where little can be measured.
func (v visit) remote() bool { return visitKinds[v.kind].class.code == "VR" }

// last is the latest visit.
func (p *person) last() visit { return p.visits[len(p.visits)-1] }

// encounter writes one finished visit.
func (g *gen) encounter(p *person, v visit) {
	k := visitKinds[v.kind]
	end := v.at.Add(time.Duration(k.minutes) * time.Minute)
	g.record("Encounter", v.id, meta{end, "encounter", normal}, func(d *doc) {
		g.encounterBody(p, v, encounterFacts{status: "finished", end: end, place: k.place, org: orgPalliative})
	})
}

type encounterFacts struct {
	status, place, org string
	reason             code      // empty means the illness
	end                time.Time // zero while the encounter goes on
}

func (g *gen) encounterBody(p *person, v visit, f encounterFacts) {
	d, k, end := &g.d, visitKinds[v.kind], ""
	if !f.end.IsZero() {
		end = stampOf(f.end)
	}
	d.identifier("official", sysEncounter, v.id)
	d.str("status", f.status)
	d.obj("class", func() { d.codingBody(k.class) })
	d.concepts("type", k.typ)
	d.refTo("subject", p.ref())
	d.one("participant", func() {
		d.concepts("type", code{term + "v3-ParticipationType", "PPRF", "primary performer"})
		d.period("period", v.stamp, end)
		d.refTo("individual", p.doctor())
	})
	d.period("period", v.stamp, end)
	if f.reason.code != "" {
		d.concepts("reasonCode", f.reason)
	} else {
		d.concepts("reasonCode", p.illness.main)
		d.oneRef("reasonReference", reference{typ: "Condition", id: p.id + "-cond-001"})
	}
	if k.class.code == "IMP" && end != "" {
		d.obj("hospitalization", func() {
			d.concept("dischargeDisposition", code{"https://www.nubc.org/CodeSystem/PatDischargeStatus", "01", "Discharged to home or self care (routine discharge)"})
		})
	}
	d.one("location", func() {
		d.ref("location", "Location", f.place)
		d.str("status", map[bool]string{true: "active", false: "completed"}[end == ""])
	})
	d.ref("serviceProvider", "Organization", f.org)
}

// appointments writes past and coming appointments.
func (g *gen) appointments(p *person) {
	count := 2 + 2*p.scale
	for n := range count {
		days := 7 + n*13 + p.index%5
		status := "booked"
		if n%2 == 1 {
			days, status = -days, "fulfilled"
		}
		if !p.died.IsZero() {
			days, status = -days-120, "cancelled"
		}
		g.appointment(p, p.id+"-appt-"+num3(n+1), status, g.on(days, 9+n%6, 30))
	}
}

func (g *gen) appointment(p *person, id, status string, at time.Time) {
	made := at.AddDate(0, 0, -30)
	g.record("Appointment", id, meta{at: made, label: normal}, func(d *doc) {
		d.str("status", status)
		if status == "cancelled" {
			d.concept("cancelationReason", code{term + "appointment-cancellation-reason", "pat-dec", "Patient: Deceased"})
		}
		d.concepts("serviceType", code{term + "service-type", "220", "Palliative Care"})
		d.concept("appointmentType", code{term + "v2-0276", "FOLLOWUP", "A follow up visit from a previous appointment"})
		d.concepts("reasonCode", p.illness.main)
		d.str("description", "Palliative care follow-up")
		d.str("start", stampOf(at))
		d.str("end", stampOf(at.Add(30*time.Minute)))
		d.int("minutesDuration", 30)
		d.str("created", stampOf(made))
		d.arr("participant", func() {
			for _, who := range []reference{p.ref(), p.doctor(), {"Location", locClinic, "Lakeside Palliative Clinic"}} {
				d.item(func() {
					d.refTo("actor", who)
					d.str("required", "required")
					d.str("status", "accepted")
				})
			}
		})
	})
}
