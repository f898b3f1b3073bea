package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

const groupPatient = "screens.group.patient"

func patientScreens() []Screen {
	return []Screen{
		{"connected-apps", groupPatient, func(s State) pages.Page {
			n := names(s)
			p := pages.ConnectedApps{Patient: n.Patient, Self: true, Frame: in(s, n.Patient, general())}
			if s != Empty {
				p.Apps, p.Ended = entries(s), ended()
				p.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeEnded, Args: map[string]any{"app": "Pill Box"}}
			}
			return p
		}},
		{"connected-apps-proxy", groupPatient, func(s State) pages.Page {
			p := pages.ConnectedApps{Patient: names(s).Patient, Frame: proxyFrame(s, general())}
			if s != Empty {
				p.Apps = entries(s)[1:]
			}
			return p
		}},
		{"connected-app", groupPatient, appScreen},
		{"end-app", groupPatient, func(s State) pages.Page {
			n := names(s)
			p := pages.EndApp{Patient: n.Patient, Self: true, Entry: entries(s)[0], Frame: in(s, n.Patient, general())}
			p.BackURL = "/apps"
			return p
		}},
		{"activity", groupPatient, activityScreen},
		{"activity-proxy", groupPatient, func(s State) pages.Page {
			p := pages.Activity{Patient: names(s).Patient, Frame: proxyFrame(s, general())}
			if s != Empty {
				p.Entries = activity(s)
			}
			return p
		}},
		{"people", groupPatient, peopleScreen},
	}
}

func appScreen(s State) pages.Page {
	n := names(s)
	p := pages.ConnectedApp{
		Patient: n.Patient, Self: true, Entry: entries(s)[1], Technical: technical(),
		Frame: in(s, n.Patient, general()),
	}
	p.BackURL = "/apps"
	if s != Empty {
		p.Recent, p.ActivityURL = activity(s)[:2], "/activity"
	}
	return p
}

func entries(s State) []pages.AppEntry {
	n := names(s)
	return []pages.AppEntry{
		{
			App: app(s), Since: ago(200), LastUsed: ago(0), Until: ahead(90), Renewed: true, By: n.Patient,
			Kinds:   []pages.KindRef{{Type: "MedicationRequest"}, {Type: "Observation", Category: "laboratory"}, {Type: "Condition"}},
			Actions: []pages.ActionRef{{Type: "Communication", Verb: "create"}},
			URL:     "/apps/1", EndURL: "/apps/1/end",
		},
		{
			App:   pages.AppInfo{Name: "Family Calendar", Maker: "Small Works", Trust: pages.Unverified},
			Since: ago(3), LastUsed: ago(1), Until: ahead(179), By: n.Proxy, Relation: "DAUC",
			Kinds: []pages.KindRef{{Type: "Appointment"}, {Type: "MedicationRequest"}},
			URL:   "/apps/2", EndURL: "/apps/2/end",
		},
		{
			App: pages.AppInfo{Name: "Check-In", Trust: pages.OwnApp}, Since: ago(1), By: n.Patient,
			Kinds: []pages.KindRef{{Type: "Patient"}, {Type: "Observation", Query: true}},
			URL:   "/apps/3", EndURL: "/apps/3/end",
		},
	}
}

func ended() []pages.AppEntry {
	return []pages.AppEntry{{App: pages.AppInfo{Name: "Pill Box"}, EndedOn: ago(0)}}
}

func activity(s State) []pages.ActivityEntry {
	n := names(s)
	at := func(hours int) time.Time { return now().Add(-time.Duration(hours) * time.Hour) }
	meds := []pages.KindRef{{Type: "MedicationRequest"}}
	return []pages.ActivityEntry{
		{At: at(1), Who: n.Proxy, Relation: "DAUC", App: "Family Calendar", What: pages.ActLooked, Kinds: meds, Count: 38},
		{At: at(2), Who: n.Proxy, Relation: "DAUC", App: "Family Calendar", What: pages.ActLooked,
			Kinds: []pages.KindRef{{Type: "Observation", Category: "laboratory"}}, Refused: true},
		{At: at(5), Who: n.Nurse, Role: "palliative care nurse", What: pages.ActLooked, Count: 112,
			Kinds: []pages.KindRef{{Type: "Observation"}, {Type: "Condition"}, {Type: "CarePlan"}}},
		{At: at(9), Who: n.Stranger, Role: "emergency doctor", What: pages.ActLooked, Emergency: true, Count: 1,
			Kinds: []pages.KindRef{{Type: "AllergyIntolerance"}}},
		{At: at(30), Who: n.Patient, Self: true, App: n.App, What: pages.ActAllowed, Kinds: meds, Count: -1},
		{At: at(31), Who: n.Patient, Self: true, App: n.App, What: pages.ActAdded, Count: 1,
			Kinds: []pages.KindRef{{Type: "Observation", Category: "vital-signs"}}},
		{At: at(50), Who: n.Patient, Self: true, App: "Pill Box", What: pages.ActEnded, Count: -1},
		{At: at(51), Who: n.Patient, Self: true, What: pages.ActSignedIn, Count: -1},
		{At: at(70), App: "Night Report", What: pages.ActLooked, Count: 4, Kinds: meds},
	}
}

func activityScreen(s State) pages.Page {
	n := names(s)
	p := pages.Activity{Patient: n.Patient, Self: true, Frame: in(s, n.Patient, pages.FieldError{Field: "from", Key: pages.ErrDate})}
	p.Filter.People = []pages.Option{{Value: "1", Label: n.Proxy}, {Value: "2", Label: n.Nurse, Selected: s == Empty}}
	p.Filter.Apps = []pages.Option{{Value: "1", Label: n.App}, {Value: "2", Label: "Family Calendar"}}
	if s == Error {
		p.Filter.From = "last week"
	}
	if s != Empty {
		p.Entries = activity(s)
		p.OlderURL = "/activity?before=2026-11-19"
	}
	return p
}

func peopleScreen(s State) pages.Page {
	n := names(s)
	p := pages.People{Patient: n.Patient, Self: true, Frame: in(s, n.Patient, general())}
	if s == Empty {
		return p
	}
	p.InviteURL, p.Circle.BlockURL, p.Circle.Waiting = "/people/invite", "/people/block", []pages.CaseLine{line(s, "account")}
	p.Circle.Past, p.Circle.Blocked = []pages.CaseLine{line(s, "ended")}, []pages.CaseLine{line(s, "blocked")}
	p.People = []pages.PersonAccess{
		{
			Name: n.Proxy, Relation: "DAUC", Kinds: []pages.KindRef{{Type: "MedicationRequest"}, {Type: "Appointment"}},
			From: ago(20), Until: ahead(179), LastSeen: ago(0), State: pages.AccessActive, ActivityURL: "/activity?person=1", URL: "/people/1",
		},
		{Name: "Marcus Alvarez", Relation: "HUSB", Everything: true, From: ago(400), State: pages.AccessActive, Sensitive: []pages.KindRef{{Topic: "MH"}, {Topic: "HIV"}}},
		{Name: "Ines Moreno", Relation: "SIS", OnlySensitive: true, Until: ahead(70), State: pages.AccessActive},
		{Name: n.Stranger, Relation: "HPOWATT", Everything: true, State: pages.AccessWaiting},
	}
	return p
}
