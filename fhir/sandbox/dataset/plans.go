package dataset

func (g *gen) careTeam(p *person) {
	members := []struct {
		role code
		who  reference
	}{
		{snomed("17561000", "Cardiologist"), practitioners[6].ref()},
		{snomed("224535009", "Registered nurse"), practitioners[9].ref()},
		{snomed("133932002", "Caregiver"), p.kin},
		{snomed("116154003", "Patient"), p.ref()},
	}
	g.record("CareTeam", p.id+"-team", meta{p.visits[0].at, "careteam", normal}, func(d *doc) {
		d.str("status", "active")
		d.concepts("category", loinc("LA28865-6", "Longitudinal care-coordination focused care team"))
		d.str("name", "Palliative care team of "+p.given+" "+p.family)
		d.refTo("subject", p.ref())
		d.obj("period", func() { d.str("start", p.visits[0].date) })
		d.arr("participant", func() {
			d.item(func() {
				d.concepts("role", snomed("59058001", "General physician"))
				d.refTo("member", p.doctor())
				d.obj("period", func() { d.str("start", p.visits[0].date) })
			})
			for _, m := range members {
				d.item(func() { d.concepts("role", m.role); d.refTo("member", m.who) })
			}
			d.item(func() {
				d.concepts("role", snomed("106328005", "Social worker"))
				d.ref("member", "PractitionerRole", "sw-evans-role")
			})
		})
		d.oneRef("managingOrganization", reference{"Organization", orgPalliative, "Lakeside Palliative Care"})
	})
}

var goals = [...]struct {
	code     string
	text     string
	category string
	due      int
}{
	{"pain", "Keep pain at 3 of 10 or less on most days", "physiotherapy", 60},
	{"home", "Be at home for as long as possible", "behavioral", 180},
	{"night-call", "Family knows whom to call at night", "safety", 30},
	{"meals", "Eat two small meals a day", "dietary", 45},
}

func (g *gen) goals(p *person) {
	for n, goal := range goals {
		g.record("Goal", p.id+"-goal-"+num3(n+1), meta{p.last().at, "goal", normal}, func(d *doc) {
			d.str("lifecycleStatus", []string{"active", "active", "completed", "on-hold"}[n])
			d.concept("achievementStatus", code{term + "goal-achievement", []string{"in-progress", "sustaining", "achieved", "no-progress"}[n], ""})
			d.concepts("category", code{term + "goal-category", goal.category, ""})
			d.concept("description", code{ownBase + "/codes/goal", goal.code, goal.text})
			d.refTo("subject", p.ref())
			d.str("startDate", p.visits[0].date)
			d.one("target", func() { d.str("dueDate", dateOf(g.on(goal.due, 0, 0))) })
			d.refTo("expressedBy", p.speaker())
			d.oneRef("addresses", reference{typ: "Condition", id: p.id + "-cond-001"})
		})
	}
}

func (g *gen) carePlans(p *person) {
	for n := range 2 {
		status := []string{"completed", "active"}[n]
		v := []visit{p.visits[0], p.last()}[n]
		plan := "Comfort first: relief of symptoms, talks about goals of care, support for the family."
		g.record("CarePlan", p.id+"-plan-"+num3(n+1), meta{v.at, "careplan", normal}, func(d *doc) {
			d.narrative(plan)
			d.str("status", status)
			d.str("intent", "plan")
			d.concepts("category", code{usCoreCS + "careplan-category", "assess-plan", "Assessment and Plan of Treatment"})
			d.str("title", "Palliative care plan")
			d.str("description", plan)
			d.refTo("subject", p.ref())
			d.ref("encounter", "Encounter", v.id)
			d.obj("period", func() { d.str("start", v.date) })
			d.str("created", v.date)
			d.refTo("author", p.doctor())
			d.oneRef("contributor", p.doctor())
			d.oneRef("careTeam", reference{typ: "CareTeam", id: p.id + "-team"})
			d.oneRef("addresses", reference{typ: "Condition", id: p.id + "-cond-001"})
			d.arr("goal", func() {
				for k := range goals {
					d.item(func() { d.refBody("Goal", p.id+"-goal-"+num3(k+1)) })
				}
			})
		})
	}
}

// message is one Communication.
type message struct {
	id       string
	from, to reference
	text     string
	v        visit
	label    label
	replyTo  string
	pinned   bool
}

// messages writes a thread between the family and the team.
func (g *gen) messages(p *person) {
	lines := [...]string{
		"Could we move the next visit to the morning?",
		"Yes, the nurse will come at ten.",
		"The new tablets make the nights quieter. Thank you.",
		"Good to hear. Please call the night line if the pain comes back.",
	}
	for n, text := range lines {
		m := message{id: p.id + "-msg-" + num3(n+1), from: p.speaker(), to: p.doctor(), text: text, v: p.visits[len(p.visits)-1-(len(lines)-1-n)/2%len(p.visits)], label: normal}
		if n%2 == 1 {
			m.from, m.to, m.replyTo = m.to, m.from, p.id+"-msg-"+num3(n)
		}
		g.message(p, m)
	}
}

func (g *gen) message(p *person, m message) {
	write := g.writer(m.pinned)
	write("Communication", m.id, meta{at: m.v.at, label: m.label}, func(d *doc) {
		if m.replyTo != "" {
			d.oneRef("inResponseTo", reference{typ: "Communication", id: m.replyTo})
		}
		d.str("status", "completed")
		d.concepts("category", code{term + "communication-category", "notification", "Notification"})
		d.concepts("medium", code{term + "v3-ParticipationMode", "ELECTRONIC", "electronic data"})
		d.refTo("subject", p.ref())
		d.str("sent", m.v.stamp)
		d.str("received", m.v.stamp)
		d.oneRef("recipient", m.to)
		d.refTo("sender", m.from)
		d.one("payload", func() { d.str("contentString", m.text) })
	})
}
