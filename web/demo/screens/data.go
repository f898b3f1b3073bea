package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

// now is the moment at which every screen is shown.
func now() time.Time { return time.Date(2026, time.November, 22, 9, 30, 0, 0, time.UTC) }

// ago and ahead give whole days before and after now.
func ago(days int) time.Time   { return now().AddDate(0, 0, -days) }
func ahead(days int) time.Time { return now().AddDate(0, 0, days) }

// people are the names that a screen uses.
type people struct {
	Patient, Proxy, Nurse, Stranger string
	App, Maker                      string
}

func names(s State) people {
	if s == Long {
		return people{
			Patient:  "María del Carmen Hernández-Villalobos de la Santísima Trinidad y Fernández",
			Proxy:    "Elena Konstantinopoulou-Donaudampfschifffahrtsgesellschaft Alvarez",
			Nurse:    "Wilhelmina Featherstonehaugh-Cholmondeley, Registered Nurse",
			Stranger: "Bartholomew Montgomery-Throckmorton",
			App:      "Palliative Comfort Companion for Families and Friends, Extended Edition",
			Maker:    "The Extraordinarily Long Named Example Laboratories Cooperative",
		}
	}
	return people{
		Patient: "Rosa Alvarez", Proxy: "Elena Alvarez", Nurse: "Nina Park", Stranger: "Sam Lee",
		App: "Heart Diary", Maker: "Example Labs",
	}
}

func app(s State) pages.AppInfo {
	n := names(s)
	return pages.AppInfo{
		Name: n.App, Maker: n.Maker, Trust: pages.Checked, CheckedOn: time.Date(2026, time.May, 4, 0, 0, 0, 0, time.UTC),
		PrivacyURL: "https://labs.example/privacy",
	}
}

// out is the frame of a page without a session.
func out(s State, e ...pages.FieldError) pages.Frame {
	f := pages.Frame{CSRF: "canned"}
	switch s {
	case Error:
		f.Errors = e
	case Expired:
		f.Notice = &pages.Notice{Tone: pages.Info, Key: pages.NoticeSessionEnded}
	}
	return f
}

// in is the frame of a page with a session; expired means that the session ends
// within two minutes.
func in(s State, name string, e ...pages.FieldError) pages.Frame {
	f := out(s, e...)
	f.SignedInAs, f.Notice = name, nil
	if s == Expired {
		f.Now, f.SessionEnds, f.StayURL = now(), now().Add(110*time.Second), Prefix
	}
	return f
}

// proxyFrame is the frame of Elena, who acts for Rosa.
func proxyFrame(s State, e ...pages.FieldError) pages.Frame {
	n := names(s)
	f := in(s, n.Proxy, e...)
	f.ActingFor = &pages.Acting{Name: n.Patient, Relation: "DAUC", Gender: "female", SwitchURL: "/home"}
	return f
}

func technical() pages.Technical {
	return pages.Technical{
		ClientID: "heart-diary", RedirectURI: "http://localhost:8082/callback",
		Scopes: []string{"openid", "fhirUser", "launch/patient", "offline_access", "patient/MedicationRequest.rs",
			"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"},
	}
}
