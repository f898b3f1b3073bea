package dataset

import (
	"strconv"
	"strings"
)

// Organizations other files refer to.
const (
	orgPalliative = "lakeside-palliative"
	orgPart2      = "lakeside-recovery-part2"
	orgHospital   = "lakeside-hospital"
	orgLab        = "lakeside-lab"
	orgPharmacy   = "lakeside-pharmacy"
	orgPayer      = "north-shore-health-plan"
)

const (
	locClinic = "lakeside-clinic"
	locWard   = "lakeside-ward-4"
)

var organizations = [...]struct{ id, name, kind, kindName string }{
	{orgPalliative, "Lakeside Palliative Care", "prov", "Healthcare Provider"},
	{orgPart2, "Lakeside Recovery Programme", "prov", "Healthcare Provider"},
	{orgHospital, "Lakeside Hospital", "prov", "Healthcare Provider"},
	{orgLab, "Lakeside Laboratory", "prov", "Healthcare Provider"},
	{orgPharmacy, "Lakeside Pharmacy", "prov", "Healthcare Provider"},
	{orgPayer, "North Shore Health Plan", "ins", "Insurance Company"},
}

// practitioner is one member of staff with the role PractitionerRole/<id>-role.
type practitioner struct{ id, family, given, org, nucc, role string }

func (c practitioner) ref() reference {
	name := c.given + " " + c.family
	if c.doctor() {
		name = "Dr. " + name
	}
	return reference{"Practitioner", c.id, name}
}

func (c practitioner) doctor() bool { return strings.HasPrefix(c.id, "dr-") }

// palliativeTeam are the first entries of practitioners: the doctors who have
// patients of their own.
var palliativeTeam = practitioners[:4]

var practitioners = [...]practitioner{
	{"dr-hale", "Hale", "Miriam", orgPalliative, "207RH0002X", "Hospice and Palliative Medicine Physician"},
	{"dr-osei", "Osei", "Abena", orgPalliative, "207RH0002X", "Hospice and Palliative Medicine Physician"},
	{"dr-stein", "Stein", "Jonas", orgPalliative, "207RG0300X", "Geriatric Medicine Physician"},
	{"dr-moua", "Moua", "Pa", orgPalliative, "207Q00000X", "Family Medicine Physician"},
	{"dr-lind", "Lind", "Karin", orgPart2, "2084A0401X", "Addiction Medicine Physician"},
	{"dr-rao", "Rao", "Anjali", orgHospital, "207RH0003X", "Hematology & Oncology Physician"},
	{"dr-bauer", "Bauer", "Felix", orgHospital, "207RC0000X", "Cardiovascular Disease Physician"},
	{"dr-wong", "Wong", "Grace", orgHospital, "2084P0800X", "Psychiatry Physician"},
	{"dr-ferro", "Ferro", "Lia", orgLab, "207ZP0102X", "Anatomic Pathology & Clinical Pathology Physician"},
	{"rn-jacobs", "Jacobs", "Tyrell", orgPalliative, "163WH0200X", "Home Health Registered Nurse"},
	{"sw-evans", "Evans", "Rhona", orgPalliative, "1041C0700X", "Clinical Social Worker"},
	{"rx-amari", "Amari", "Nadia", orgPharmacy, "183500000X", "Pharmacist"},
}

// clinic writes the shared resources: those of no single patient.
func (g *gen) clinic() {
	for i, o := range organizations {
		g.organization(o.id, o.name, code{term + "organization-type", o.kind, o.kindName}, i)
	}
	g.location(locClinic, "Lakeside Palliative Clinic", orgPalliative, code{sysRole, "OF", "Outpatient facility"})
	g.location(locWard, "Lakeside Hospital, ward 4", orgHospital, code{sysRole, "HU", "Hospital unit"})
	g.location("lakeside-recovery-centre", "Lakeside Recovery Centre", orgPart2, code{sysRole, "SURF", "Substance use rehabilitation facility"})
	g.location("home-visits", "Home visits, north district", orgPalliative, code{sysRole, "PTRES", "Patient's Residence"})
	for i, c := range practitioners {
		g.practitioner(c, i)
		g.role(c)
	}
	for i, m := range medicines {
		if i%5 == 0 {
			g.medication(m)
		}
	}
	g.portalDevice()
	for _, c := range palliativeTeam {
		g.schedule(c)
	}
}

func (g *gen) organization(id, name string, kind code, i int) {
	g.fixed("Organization", id, meta{g.on(-1200, 8, 0), "organization", normal}, func(d *doc) {
		d.arr("identifier", func() {
			d.item(func() { d.str("system", sysNPI); d.str("value", npi(100+i)) })
			d.item(func() {
				d.str("system", "urn:oid:2.16.840.1.113883.4.7")
				d.str("value", "24D00000"+strconv.Itoa(10+i))
			})
		})
		d.bool("active", true)
		d.concepts("type", kind)
		d.str("name", name)
		d.arr("telecom", func() {
			d.contact("phone", "+1-218-555-010"+strconv.Itoa(i), "work")
			d.contact("email", "desk@"+id+".example", "work")
		})
		d.one("address", func() { d.str("use", "work"); d.postal(strconv.Itoa(1+i)+" Harbor Drive", "Duluth", "55802") })
	})
}

func (g *gen) location(id, name, org string, kind code) {
	g.fixed("Location", id, meta{g.on(-1200, 8, 0), "location", normal}, func(d *doc) {
		d.identifier("", ownBase+"/id/location", id)
		d.str("status", "active")
		d.str("name", name)
		d.concepts("type", kind)
		d.arr("telecom", func() { d.contact("phone", "+1-218-555-0120", "work") })
		d.obj("address", func() { d.str("use", "work"); d.postal("1 Harbor Drive", "Duluth", "55802") })
		d.ref("managingOrganization", "Organization", org)
	})
}

func (g *gen) practitioner(c practitioner, i int) {
	g.fixed("Practitioner", c.id, meta{g.on(-1100+i, 8, 0), "practitioner", normal}, func(d *doc) {
		d.identifier("official", sysNPI, npi(i))
		d.bool("active", true)
		d.one("name", func() {
			d.str("use", "official")
			d.str("family", c.family)
			d.strs("given", c.given)
			if c.doctor() {
				d.strs("prefix", "Dr.")
			}
		})
		d.arr("telecom", func() {
			d.contact("phone", "+1-218-555-01"+strconv.Itoa(30+i), "work")
			d.contact("email", c.id+"@lakeside.example", "work")
		})
		d.one("address", func() { d.str("use", "work"); d.postal("1 Harbor Drive", "Duluth", "55802") })
	})
}

func (g *gen) role(c practitioner) {
	loc := locClinic
	if c.org == orgHospital {
		loc = locWard
	}
	g.fixed("PractitionerRole", c.id+"-role", meta{g.on(-1050, 8, 0), "practitionerrole", normal}, func(d *doc) {
		d.bool("active", true)
		d.refTo("practitioner", c.ref())
		d.ref("organization", "Organization", c.org)
		d.concepts("code", code{sysNUCC, c.nucc, c.role})
		d.concepts("specialty", code{sysNUCC, c.nucc, c.role})
		d.oneRef("location", reference{typ: "Location", id: loc})
		d.arr("telecom", func() {
			d.contact("phone", "+1-218-555-0120", "work")
			d.contact("email", c.id+"@lakeside.example", "work")
		})
	})
}

// npi gives a number with the right check digit (Luhn over 80840 + number).
func npi(i int) string {
	base := "12345" + strconv.Itoa(1000+i*7)
	sum := 24 // what the fixed prefix 80840 adds
	for k := len(base) - 1; k >= 0; k-- {
		v := int(base[k] - '0')
		if (len(base)-1-k)%2 == 0 {
			v *= 2
		}
		sum += v/10 + v%10
	}
	return base + strconv.Itoa((10-sum%10)%10)
}

// portalDevice is the authorization server as an agent of the examples.
func (g *gen) portalDevice() {
	g.fixed("Device", "portal-authz", meta{at: g.on(-1000, 8, 0), label: normal}, func(d *doc) {
		d.str("status", "active")
		d.one("deviceName", func() { d.str("name", "Patient portal authorization server"); d.str("type", "user-friendly-name") })
		d.concept("type", snomed("706689003", "Application program software"))
		d.ref("owner", "Organization", orgPalliative)
	})
}

// schedule gives one doctor a schedule and the free slots of the next days.
func (g *gen) schedule(c practitioner) {
	id := c.id + "-schedule"
	g.fixed("Schedule", id, meta{at: g.on(-30, 8, 0), label: normal}, func(d *doc) {
		d.bool("active", true)
		d.arr("actor", func() {
			d.item(func() { d.refBody("Practitioner", c.id) })
			d.item(func() { d.refBody("Location", locClinic) })
		})
		d.period("planningHorizon", stampOf(g.on(0, 8, 0)), stampOf(g.on(60, 17, 0)))
	})
	for n := range 10 {
		g.fixed("Slot", c.id+"-slot-"+num3(n+1), meta{at: g.on(-30, 8, 0), label: normal}, func(d *doc) {
			d.ref("schedule", "Schedule", id)
			d.str("status", []string{"free", "busy"}[n%3/2])
			d.str("start", stampOf(g.on(2+n*3, 9+n%4, 0)))
			d.str("end", stampOf(g.on(2+n*3, 9+n%4, 30)))
		})
	}
}

// groups writes the panels that a bulk Group export names.
func (g *gen) groups(cohort []person) {
	g.group("lakeside-panel", "All patients of Lakeside Palliative Care", cohort)
	g.group("lakeside-home-care", "Patients visited at home", cohort[:len(cohort)/2])
}

func (g *gen) group(id, name string, members []person) {
	g.fixed("Group", id, meta{at: g.on(-1, 8, 0), label: normal}, func(d *doc) {
		d.identifier("", ownBase+"/id/group", id)
		d.bool("active", true)
		d.str("type", "person")
		d.bool("actual", true)
		d.str("name", name)
		d.int("quantity", len(members))
		d.ref("managingEntity", "Organization", orgPalliative)
		d.arr("member", func() {
			for i := range members {
				d.item(func() { d.ref("entity", "Patient", members[i].id) })
			}
		})
	})
}
