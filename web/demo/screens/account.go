package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

// accountScreens lists the pages around a person's own account.
func accountScreens() []Screen {
	return []Screen{
		{"account", groupPatient, func(s State) pages.Page {
			p := pages.Account{Frame: in(s, names(s).Patient, general()), Name: names(s).Patient, Username: "rosa", Factors: 2, Devices: 1}
			p.ActivityURL, p.AddressesURL, p.TravelURL = "#", "#", "#"
			if s == Long {
				p.Travels = ahead(20)
			}
			return p
		}},
		{"account-activity", groupPatient, func(s State) pages.Page {
			p := pages.AccountActivity{Frame: in(s, names(s).Patient, general()), Signals: []pages.Signal{{Name: "new-device"}, {Name: "new-country", Inactive: "places"}}}
			if s != Empty {
				p.Entries = []pages.AccountEvent{
					{At: now().Add(-time.Hour), What: "login", Reasons: []string{"new-device", "new-network"}}, {At: now().Add(-2 * time.Hour), What: "login_failed", Refused: true},
				}
				p.OlderURL = "#"
			}
			return p
		}},
		{"travel", groupPatient, func(s State) pages.Page {
			p := pages.Travel{Frame: in(s, names(s).Patient, pages.FieldError{Field: "until", Key: pages.ErrTravel}), Action: Prefix, Until: "2027-05-20"}
			if s == Long {
				p.Travels = ahead(20)
			}
			return p
		}},
		{"addresses", groupPatient, func(s State) pages.Page {
			p := pages.Addresses{Frame: in(s, names(s).Patient, pages.FieldError{Field: "address", Key: pages.ErrEmail}), Action: Prefix}
			if s != Empty {
				p.Current, p.Unchecked = "rosa@example.org", "rosa.alvarez@example.com"
				p.Checked = []pages.ContactAddress{{ID: "1", Address: "rosa@example.org", Used: true}, {ID: "2", Address: "rosa@example.net", Waiting: true, From: ahead(1)}}
			}
			return p
		}},
		{"display", groupOther, func(s State) pages.Page {
			p := pages.Display{Frame: out(s, general()), Action: Prefix, Language: "en"}
			if s == Long {
				p.Looks = []string{pages.LookLarge, pages.LookCalm}
			}
			return p
		}},
		{"accessibility", groupOther, func(s State) pages.Page { return pages.Accessibility{Frame: out(s, general())} }},
	}
}
