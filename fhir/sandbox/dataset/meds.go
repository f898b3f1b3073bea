package dataset

import "strconv"

// medicine is one product with the usual way to take it.
type medicine struct {
	id         string // Medication id; every fifth product is stored as a resource
	what       code
	sig        string
	perDay     int
	unit, ucum string
	opioid     bool
	child      bool // given to children too
}

var medicines = [...]medicine{
	{"morphine-15", rxnorm("892582", "morphine sulfate 15 MG Oral Tablet"), "Take 1 tablet by mouth every 4 hours as needed for pain", 6, "tablet", "{tbl}", true, false},
	{"senna", rxnorm("312935", "sennosides, USP 8.6 MG Oral Tablet"), "Take 2 tablets by mouth at bedtime", 1, "tablet", "{tbl}", false, false},
	{"ondansetron", rxnorm("198052", "ondansetron 4 MG Oral Tablet"), "Take 1 tablet by mouth three times a day as needed for nausea", 3, "tablet", "{tbl}", false, true},
	{"acetaminophen", rxnorm("313782", "acetaminophen 325 MG Oral Tablet"), "Take 2 tablets by mouth four times a day", 4, "tablet", "{tbl}", false, true},
	{"dexamethasone", rxnorm("197582", "dexamethasone 4 MG Oral Tablet"), "Take 1 tablet by mouth every morning", 1, "tablet", "{tbl}", false, false},
	{"furosemide", rxnorm("313988", "furosemide 40 MG Oral Tablet"), "Take 1 tablet by mouth every morning", 1, "tablet", "{tbl}", false, true},
	{"lisinopril", rxnorm("314076", "lisinopril 10 MG Oral Tablet"), "Take 1 tablet by mouth once a day", 1, "tablet", "{tbl}", false, false},
	{"metoprolol", rxnorm("866412", "24 HR metoprolol succinate 100 MG Extended Release Oral Tablet"), "Take 1 tablet by mouth once a day", 1, "tablet", "{tbl}", false, false},
	{"omeprazole", rxnorm("198051", "omeprazole 20 MG Delayed Release Oral Capsule"), "Take 1 capsule by mouth before breakfast", 1, "capsule", "{capsule}", false, true},
	{"gabapentin", rxnorm("310431", "gabapentin 300 MG Oral Capsule"), "Take 1 capsule by mouth three times a day", 3, "capsule", "{capsule}", false, false},
	{"fentanyl-25", rxnorm("245134", "72 HR fentanyl 0.025 MG/HR Transdermal System"), "Apply 1 patch to the skin every 72 hours", 1, "patch", "{patch}", true, false},
	{"macrogol", rxnorm("876193", "polyethylene glycol 3350 17000 MG Powder for Oral Solution"), "Dissolve 1 packet in water once a day", 1, "packet", "{packet}", false, true},
	{"albuterol", rxnorm("2123111", "NDA020503 200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler"), "Inhale 2 puffs every 4 hours as needed for shortness of breath", 6, "puff", "{puff}", false, true},
	{"metformin", rxnorm("860975", "24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet"), "Take 1 tablet by mouth with the evening meal", 1, "tablet", "{tbl}", false, false},
	{"warfarin", rxnorm("855332", "warfarin sodium 5 MG Oral Tablet"), "Take 1 tablet by mouth every evening", 1, "tablet", "{tbl}", false, false},
	{"ferrous-sulfate", rxnorm("310325", "ferrous sulfate 325 MG Oral Tablet"), "Take 1 tablet by mouth once a day", 1, "tablet", "{tbl}", false, true},
	{"prednisone", rxnorm("312617", "prednisone 5 MG Oral Tablet"), "Take 1 tablet by mouth every morning with food", 1, "tablet", "{tbl}", false, true},
	{"simvastatin", rxnorm("314231", "simvastatin 10 MG Oral Tablet"), "Take 1 tablet by mouth at bedtime", 1, "tablet", "{tbl}", false, false},
	{"hydrochlorothiazide", rxnorm("310798", "hydrochlorothiazide 25 MG Oral Tablet"), "Take 1 tablet by mouth every morning", 1, "tablet", "{tbl}", false, false},
	{"digoxin", rxnorm("197604", "digoxin 0.125 MG Oral Tablet"), "Take 1 tablet by mouth once a day", 1, "tablet", "{tbl}", false, false},
}

// Medicines that tell a secret; only stories prescribe them.
var (
	medBuprenorphine = medicine{"buprenorphine-naloxone", rxnorm("351267", "buprenorphine 8 MG / naloxone 2 MG Sublingual Tablet"), "Dissolve 1 tablet under the tongue once a day", 1, "tablet", "{tbl}", true, false}
	medBictegravir   = medicine{"bictegravir", rxnorm("1999667", "bictegravir 50 MG / emtricitabine 200 MG / tenofovir alafenamide 25 MG Oral Tablet"), "Take 1 tablet by mouth once a day", 1, "tablet", "{tbl}", false, false}
	medSertraline    = medicine{"sertraline", rxnorm("312941", "sertraline 50 MG Oral Tablet"), "Take 1 tablet by mouth every morning", 1, "tablet", "{tbl}", false, false}
	medNaltrexone    = medicine{"naltrexone", rxnorm("1483744", "naltrexone hydrochloride 50 MG Oral Tablet"), "Take 1 tablet by mouth once a day", 1, "tablet", "{tbl}", false, false}
)

// prescriptionsPerChart is the number of MedicationRequests for scale 1.
const prescriptionsPerChart = 14

// medications writes the prescriptions; two of three have been dispensed.
func (g *gen) medications(p *person) {
	fit := medicines[:]
	if p.minor {
		fit = childMedicines()
	}
	count := prescriptionsPerChart * p.scale
	for n := range count {
		m := fit[(n+p.index*3)%len(fit)]
		v := p.visits[n*len(p.visits)/count]
		f := prescription{id: p.id + "-med-" + num3(n+1), m: m, v: v, status: "active", label: normal, requester: p.doctor()}
		switch {
		case !p.died.IsZero() || n%4 == 1:
			f.status = "completed"
		case n%9 == 4:
			f.status = "stopped"
		}
		f.byReference = n%3 == 0 && m.stored()
		f.reported = n%7 == 6
		f.forIllness = n%2 == 0
		g.prescribe(p, f)
		if n%3 != 2 {
			g.dispense(p, p.id+"-disp-"+num3(n+1), f)
		}
	}
}

// stored tells whether the product exists as Medication/<id>.
func (m medicine) stored() bool {
	for i := 0; i < len(medicines); i += 5 {
		if medicines[i].id == m.id {
			return true
		}
	}
	return false
}

func childMedicines() []medicine {
	var fit []medicine
	for _, m := range medicines {
		if m.child {
			fit = append(fit, m)
		}
	}
	return fit
}

func (g *gen) medication(m medicine) {
	g.fixed("Medication", m.id, meta{g.on(-1000, 8, 0), "medication", normal}, func(d *doc) {
		d.concept("code", m.what)
		d.str("status", "active")
	})
}

type prescription struct {
	id, status            string
	reason                code // empty means the illness
	m                     medicine
	v                     visit
	label                 label
	requester             reference
	performer             string // Organization that dispenses; empty means the pharmacy
	byReference, reported bool
	forIllness            bool // name the Condition too
	pinned                bool
}

func (d *doc) medicine(f prescription) {
	if f.byReference {
		d.refTo("medicationReference", reference{"Medication", f.m.id, f.m.what.display})
		return
	}
	d.concept("medicationCodeableConcept", f.m.what)
}

func (g *gen) prescribe(p *person, f prescription) {
	write := g.writer(f.pinned)
	if f.reason.code == "" {
		f.reason = p.illness.main
	}
	write("MedicationRequest", f.id, meta{f.v.at, "medicationrequest", f.label}, func(d *doc) {
		if !f.pinned {
			g.adherence(f.v)
		}
		d.identifier("", ownBase+"/id/prescription", f.id)
		d.str("status", f.status)
		d.str("intent", "order")
		d.concepts("category", code{term + "medicationrequest-category", "community", "Community"})
		if f.reported {
			d.refTo("reportedReference", p.kin)
		} else {
			d.bool("reportedBoolean", false)
		}
		d.medicine(f)
		d.refTo("subject", p.ref())
		d.ref("encounter", "Encounter", f.v.id)
		d.str("authoredOn", f.v.stamp)
		d.refTo("requester", f.requester)
		d.concepts("reasonCode", f.reason)
		if f.forIllness {
			d.oneRef("reasonReference", reference{typ: "Condition", id: p.id + "-cond-001"})
		}
		d.dosage(f.m)
		d.obj("dispenseRequest", func() {
			d.int("numberOfRepeatsAllowed", 2)
			d.quantity("quantity", float64(30*f.m.perDay), 0, f.m.unit, f.m.ucum)
			d.quantity("expectedSupplyDuration", 30, 0, "days", "d")
		})
	})
}

func (d *doc) dosage(m medicine) {
	route := snomed("26643006", "Oral route")
	switch {
	case m.id == medBuprenorphine.id:
		route = snomed("37839007", "Sublingual route")
	case m.unit == "patch":
		route = snomed("45890007", "Transdermal route")
	case m.unit == "puff":
		route = snomed("447694001", "Respiratory tract route")
	}
	d.one("dosageInstruction", func() {
		d.int("sequence", 1)
		d.str("text", m.sig)
		d.obj("timing", func() {
			d.obj("repeat", func() {
				d.int("frequency", m.perDay)
				d.int("period", 1)
				d.str("periodUnit", "d")
			})
		})
		d.concept("route", route)
		d.one("doseAndRate", func() { d.quantity("doseQuantity", 1, 0, m.unit, m.ucum) })
	})
}

func (g *gen) dispense(p *person, id string, f prescription) {
	performer := f.performer
	if performer == "" {
		performer = orgPharmacy
	}
	handed := f.v.at.AddDate(0, 0, 1)
	write := g.writer(f.pinned)
	write("MedicationDispense", id, meta{handed, "medicationdispense", f.label}, func(d *doc) {
		d.identifier("", ownBase+"/id/dispense", id)
		d.str("status", "completed")
		d.medicine(f)
		d.refTo("subject", p.ref())
		d.ref("context", "Encounter", f.v.id)
		d.one("performer", func() { d.ref("actor", "Organization", performer) })
		d.oneRef("authorizingPrescription", reference{typ: "MedicationRequest", id: f.id})
		d.concept("type", code{term + "v3-ActCode", "FF", "First Fill"})
		d.quantity("quantity", float64(30*f.m.perDay), 0, f.m.unit, f.m.ucum)
		d.quantity("daysSupply", 30, 0, "days", "d")
		d.str("whenPrepared", f.v.stamp)
		d.str("whenHandedOver", stampOf(handed))
		d.dosage(f.m)
	})
}

// statement writes what the patient says to take beyond the prescriptions.
func (g *gen) statement(p *person, n int) {
	m := medicines[(n*3+1)%len(medicines)]
	g.record("MedicationStatement", p.id+"-taken-"+strconv.Itoa(n+1), meta{at: p.last().at, label: normal}, func(d *doc) {
		d.str("status", "active")
		d.concept("medicationCodeableConcept", m.what)
		d.refTo("subject", p.ref())
		d.str("effectiveDateTime", p.visits[0].date)
		d.str("dateAsserted", p.last().stamp)
		d.refTo("informationSource", p.kin)
		d.one("dosage", func() { d.str("text", m.sig) })
	})
}
