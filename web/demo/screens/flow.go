package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

const groupFlow = "screens.group.flow"

func flowScreens() []Screen {
	return []Screen{
		{"pick-patient", groupFlow, func(s State) pages.Page {
			n := names(s)
			p := pages.PickPatient{AppName: n.App, Frame: in(s, n.Proxy, pages.FieldError{Field: "patient", Key: pages.ErrChoose})}
			if s != Empty {
				p.Choices = proxyChoices(s)
			}
			return p
		}},
		{"pick-visit", groupFlow, pickVisitScreen},
		{"consent", groupFlow, consentScreen},
		{"consent-proxy", groupFlow, proxyConsentScreen},
		{"consent-reduced", groupFlow, func(s State) pages.Page {
			n := names(s)
			p := pages.ConsentReduced{App: app(s), Frame: in(s, n.Patient, general())}
			if s != Empty {
				p.Left = []pages.ConsentKind{{Type: "MedicationRequest", Reason: "to remind you when to take them"}}
			}
			return p
		}},
		{"device", groupFlow, func(s State) pages.Page {
			p := pages.Device{Frame: in(s, "", pages.FieldError{Field: pages.FieldUserCode, Key: pages.ErrUserCode})}
			if s != Empty {
				p.Code, p.Linked = "WDJB-MJHT", true
			}
			return p
		}},
		{"done-device", groupFlow, func(s State) pages.Page {
			n := names(s)
			return pages.Done{AppName: n.App, Allowed: true, OnDevice: true, Frame: in(s, n.Patient, general())}
		}},
		{"done-allowed", groupFlow, func(s State) pages.Page {
			n := names(s)
			return pages.Done{AppName: n.App, Allowed: true, ReturnURL: "org.example.heartdiary:/callback", Frame: in(s, n.Patient, general())}
		}},
		{"done-denied", groupFlow, func(s State) pages.Page {
			n := names(s)
			return pages.Done{AppName: n.App, Frame: in(s, n.Patient, general())}
		}},
	}
}

func proxyChoices(s State) []pages.PatientChoice {
	n := names(s)
	return []pages.PatientChoice{
		{Value: "a", Name: n.Patient, Relation: "DAUC", Gender: "female", Until: ahead(179)},
		{Value: "b", Name: "Tomás Alvarez", Relation: "EXCEST", Gender: "male", Deceased: true},
		{Value: "c", Name: n.Proxy, Self: true},
	}
}

func pickVisitScreen(s State) pages.Page {
	n := names(s)
	p := pages.PickEncounter{
		AppName: n.App, Patient: n.Patient,
		Frame: in(s, n.Patient, pages.FieldError{Field: "encounter", Key: pages.ErrChoose}),
	}
	if s == Empty {
		return p
	}
	p.Choices = []pages.EncounterChoice{
		{Value: "1", Label: "Stay on the palliative ward", Place: "North House, room 12", With: n.Nurse, Start: ago(6)},
		{Value: "2", Label: "Home visit", With: n.Nurse, Start: ago(30), End: ago(30).Add(time.Hour)},
		{Value: "3", Label: "Hospital stay", Start: ago(90), End: ago(81)},
	}
	return p
}

// kinds are the rows of the consent page; every sensitive one is unticked.
func kinds() []pages.ConsentKind {
	return []pages.ConsentKind{
		{Field: "k1", Type: "MedicationRequest", Count: 38, Checked: true, Required: true, Reason: "to remind you when to take them"},
		{Field: "k2", Type: "Observation", Count: 1212, Checked: true, Only: true, Categories: []pages.ConsentCategory{
			{Field: "k2.1", Type: "Observation", Category: "laboratory", Count: 180, Checked: true},
			{Field: "k2.2", Type: "Observation", Category: "survey", Count: 12},
			{Field: "k2.3", Type: "Observation", Category: "vital-signs", Count: 1020},
		}},
		{Field: "k3", Type: "Condition", Count: 14, Checked: true},
		{Field: "k4", Type: "Appointment", Count: 0, Checked: true},
		{Field: "k5", Type: "DocumentReference", Topic: "PSY", Count: 1, Sensitive: true},
		{Field: "k6", Topic: "42CFRPart2", Count: 2, Sensitive: true},
	}
}

func actions() []pages.ConsentAction {
	return []pages.ConsentAction{
		{Field: "a1", Type: "Communication", Verb: "create"},
		{Field: "a2", Type: "Appointment", Verb: "update"},
	}
}

func consentScreen(s State) pages.Page {
	n := names(s)
	p := pages.Consent{
		Handle: "canned", App: app(s), Patient: n.Patient, Person: n.Patient, Self: true, Identity: true,
		VisitMinutes: 60, Technical: technical(),
		Frame: in(s, n.Patient,
			pages.FieldError{Field: "k2", Key: pages.ErrNoCategory}),
	}
	p.AppRedirect = p.Technical.RedirectURI
	if s == Empty {
		p.App = pages.AppInfo{Name: n.App, Trust: pages.Unverified}
		return p
	}
	p.Kinds, p.Actions = kinds(), actions()
	p.Keep = &pages.KeepChoice{Checked: true, Offered: []pages.KeepFor{pages.KeepQuarter, pages.KeepWeek, pages.KeepYear}}
	if s == Error {
		p.Kinds[1].Categories[0].Checked = false
	}
	return p
}

func proxyConsentScreen(s State) pages.Page {
	n := names(s)
	p := pages.Consent{
		Handle: "canned", App: app(s), Patient: n.Patient, Person: n.Proxy, Relation: "DAUC", Gender: "female",
		PatientTold: true, MoreHidden: true, NoKeep: "consent.nokeep.view_only", Until: ahead(179),
		VisitMinutes: 60, Technical: technical(),
		Frame: proxyFrame(s, pages.FieldError{Field: "k1", Key: pages.ErrNothingTicked}),
	}
	p.App.Trust = pages.Unverified
	if s != Empty {
		p.Kinds = []pages.ConsentKind{
			{Field: "k1", Type: "MedicationRequest", Count: 38, Checked: s != Error},
			{Field: "k2", Type: "Appointment", Count: 4, Checked: s != Error},
		}
	}
	return p
}

func staffConsentScreen(s State) pages.Page {
	n := names(s)
	p := pages.Consent{
		Handle: "canned", App: app(s), Patient: n.Patient, Person: n.Nurse, Role: "palliative care nurse",
		Clinician: true, VisitMinutes: 60, Technical: technical(),
		Frame: staff(in(s, n.Nurse, pages.FieldError{Field: "k1", Key: pages.ErrNothingTicked})),
	}
	if s != Empty {
		p.Kinds = kinds()[:4]
		p.Actions = actions()[:1]
	}
	return p
}
