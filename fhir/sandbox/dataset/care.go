package dataset

import "strconv"

type allergy struct {
	what, reaction code
	category       string
}

var allergies = [...]allergy{
	{rxnorm("7980", "penicillin G"), snomed("271807003", "Eruption of skin"), "medication"},
	{rxnorm("2670", "codeine"), snomed("422587007", "Nausea"), "medication"},
	{snomed("91935009", "Allergy to peanuts"), snomed("39579001", "Anaphylaxis"), "food"},
	{rxnorm("10831", "sulfamethoxazole / trimethoprim"), snomed("126485001", "Urticaria"), "medication"},
	{snomed("300916003", "Latex allergy"), snomed("271807003", "Eruption of skin"), "environment"},
	{rxnorm("1191", "aspirin"), snomed("267036007", "Dyspnea"), "medication"},
}

func (g *gen) allergies(p *person) {
	for n := range 2 + p.scale - 1 {
		a, v := allergies[(p.index+n*2)%len(allergies)], p.visits[0]
		g.record("AllergyIntolerance", p.id+"-allergy-"+num3(n+1), meta{v.at, "allergyintolerance", normal}, func(d *doc) {
			d.concept("clinicalStatus", code{term + "allergyintolerance-clinical", "active", "Active"})
			d.concept("verificationStatus", code{term + "allergyintolerance-verification", "confirmed", "Confirmed"})
			d.str("type", "allergy")
			d.strs("category", a.category)
			d.str("criticality", []string{"low", "high"}[n%2])
			d.concept("code", a.what)
			d.refTo("patient", p.ref())
			d.ref("encounter", "Encounter", v.id)
			d.str("onsetDateTime", dateOf(v.at.AddDate(0, 0, -14)))
			d.str("recordedDate", v.date)
			d.refTo("recorder", p.doctor())
			d.one("reaction", func() {
				d.concepts("manifestation", a.reaction)
				d.str("severity", []string{"mild", "severe"}[n%2])
			})
		})
	}
}

var childVaccines = [...]code{
	{sysCVX, "150", "influenza, injectable, quadrivalent, preservative free"},
	{sysCVX, "03", "MMR"},
	{sysCVX, "21", "varicella"},
	{sysCVX, "10", "IPV"},
	{sysCVX, "133", "Pneumococcal conjugate PCV 13"},
}

var vaccines = [...]code{
	{sysCVX, "150", "influenza, injectable, quadrivalent, preservative free"},
	{sysCVX, "208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose"},
	{sysCVX, "33", "pneumococcal polysaccharide vaccine, 23 valent"},
	{sysCVX, "187", "zoster vaccine recombinant"},
	{sysCVX, "113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed"},
}

func (g *gen) immunizations(p *person) {
	fit := vaccines
	if p.minor {
		fit = childVaccines
	}
	for n, c := range fit {
		v := p.visits[n*2%len(p.visits)]
		g.record("Immunization", p.id+"-imm-"+num3(n+1), meta{v.at, "immunization", normal}, func(d *doc) {
			if n == 4 {
				d.str("status", "not-done")
				d.concept("statusReason", code{term + "v3-ActReason", "PATOBJ", "patient objection"})
			} else {
				d.str("status", "completed")
			}
			d.concept("vaccineCode", c)
			d.refTo("patient", p.ref())
			d.ref("encounter", "Encounter", v.id)
			d.str("occurrenceDateTime", v.date)
			d.bool("primarySource", n%2 == 0)
			d.ref("location", "Location", locClinic)
			d.str("lotNumber", "LOT-"+strconv.Itoa(4000+p.index*5+n))
			d.one("performer", func() { d.refTo("actor", practitioners[9].ref()) })
		})
	}
}

var procedures = [...]code{
	snomed("103735009", "Palliative care"), snomed("713603004", "Advance care planning"),
	snomed("430193006", "Medication reconciliation"), snomed("29303009", "Electrocardiographic procedure"),
	snomed("399208008", "Plain X-ray of chest"), snomed("40701008", "Echocardiography"),
	snomed("33195004", "Teleradiotherapy procedure"), snomed("91602002", "Thoracentesis"),
}

func (g *gen) procedures(p *person) {
	for n := range 5 * p.scale {
		v, what := p.visits[n*3%len(p.visits)], procedures[(n+p.index)%len(procedures)]
		order := p.id + "-req-" + num3(n+1)
		g.record("ServiceRequest", order, meta{v.at, "servicerequest", normal}, func(d *doc) {
			g.orderBody(p, v, orderFacts{what, snomed(orderedProcedure, "Procedure"), p.illness.main, p.doctor()})
			d.oneRef("reasonReference", reference{typ: "Condition", id: p.id + "-cond-001"})
		})
		g.record("Procedure", p.id+"-proc-"+num3(n+1), meta{v.at, "procedure", normal}, func(d *doc) {
			d.oneRef("basedOn", reference{typ: "ServiceRequest", id: order})
			d.str("status", "completed")
			d.concept("category", snomed("277132007", "Therapeutic procedure"))
			d.concept("code", what)
			d.refTo("subject", p.ref())
			d.ref("encounter", "Encounter", v.id)
			if n%2 == 0 {
				d.str("performedDateTime", v.stamp)
			} else {
				d.period("performedPeriod", v.stamp, v.stamp)
			}
			d.one("performer", func() { d.refTo("actor", p.doctor()) })
			d.ref("location", "Location", visitKinds[v.kind].place)
			d.concepts("reasonCode", p.illness.main)
			d.oneRef("reasonReference", reference{typ: "Condition", id: p.id + "-cond-001"})
		})
	}
}

// device writes an implant with its unique device identifier.
func (g *gen) device(p *person) {
	made := g.on(-1400, 0, 0)
	serial := strconv.Itoa(700100 + p.index)
	udi := "(01)00844588003288(17)" + made.AddDate(8, 0, 0).Format("060102") + "(10)L" + serial + "(21)" + serial
	g.record("Device", p.id+"-device", meta{p.visits[0].at, "implantable-device", normal}, func(d *doc) {
		d.one("udiCarrier", func() { d.str("deviceIdentifier", "00844588003288"); d.str("carrierHRF", udi) })
		d.str("status", "active")
		d.str("distinctIdentifier", "A99971312345"+serial[3:])
		d.str("manufactureDate", dateOf(made))
		d.str("expirationDate", dateOf(made.AddDate(8, 0, 0)))
		d.str("lotNumber", "L"+serial)
		d.str("serialNumber", serial)
		d.one("deviceName", func() { d.str("name", "Cardiac pacemaker"); d.str("type", "user-friendly-name") })
		d.concept("type", snomed("706004007", "Implantable cardiac pacemaker"))
		d.refTo("patient", p.ref())
	})
}

func (g *gen) coverage(p *person) {
	number := strconv.Itoa(880200 + p.index*11)
	g.record("Coverage", p.id+"-coverage", meta{p.visits[0].at, "coverage", normal}, func(d *doc) {
		d.one("identifier", func() {
			d.concept("type", code{term + "v2-0203", "MB", "Member Number"})
			d.str("system", ownBase+"/id/member")
			d.str("value", number)
		})
		d.str("status", "active")
		payer := code{"https://nahdo.org/sopt", "1", "MEDICARE"}
		if p.years(g.day) < 65 {
			payer = code{"https://nahdo.org/sopt", "5", "PRIVATE HEALTH INSURANCE"}
		}
		d.concept("type", payer)
		d.refTo("subscriber", p.ref())
		d.str("subscriberId", number)
		d.refTo("beneficiary", p.ref())
		d.concept("relationship", code{term + "subscriber-relationship", "self", "Self"})
		d.period("period", p.visits[0].date, dateOf(g.on(400, 0, 0)))
		d.oneRef("payor", reference{"Organization", orgPayer, "North Shore Health Plan"})
		d.arr("class", func() {
			for _, c := range []string{"group", "plan"} {
				d.item(func() {
					d.concept("type", code{term + "coverage-class", c, ""})
					d.str("value", c+"-1")
					d.str("name", "North Shore "+c)
				})
			}
		})
	})
}
