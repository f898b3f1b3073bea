package screens

import "github.com/mandate-health/mandate/web/pages"

// bedsideScreens lists both ends of an enrolment before a witness.
func bedsideScreens() []Screen {
	return append(bedsideDeviceScreens(), []Screen{
		{"bedside-start", groupStaff, func(s State) pages.Page {
			p := pages.BedsideStart{Frame: staff(in(s, names(s).Nurse, pages.FieldError{Field: "how", Key: pages.ErrChoose}))}
			p.BackURL = "/staff"
			if s != Empty {
				p.Patient, p.Ways = "rosa", []pages.Option{{Value: "wristband", Label: "Wristband and two facts that fit"}}
			}
			return p
		}},
		bedsideCase("bedside-case", "number"),
		bedsideCase("bedside-case-code", "code"),
		bedsideCase("bedside-case-taken", "taken"),
		bedsideCase("bedside-case-second", "second"),
		bedsideCase("bedside-case-done", "done"),
	}...)
}

func bedsideCase(name, step string) Screen {
	return Screen{name, groupStaff, func(s State) pages.Page {
		n := names(s)
		e := general()
		if step == "number" {
			e = pages.FieldError{Field: "number", Key: pages.ErrNumber}
		}
		return pages.BedsideCase{
			Frame: staff(in(s, n.Nurse, e)), Action: Prefix, Name: n.Patient, Step: step, Code: "K7QM-2XRD",
			Link: "https://mandate.example.org/bedside/K7QM-2XRD", QR: cannedPicture(), Ends: ahead(0), Second: s == Long,
			Witnesses: []string{n.Nurse}, Factor: "passkey",
		}
	}}
}

func bedsideDeviceScreens() []Screen {
	return []Screen{
		{"bedside-code", groupSignIn, func(s State) pages.Page {
			p := pages.BedsideCode{Frame: out(s, pages.FieldError{Field: "code", Key: "field.bedside_code"}), Action: Prefix, Shared: s == Long}
			if s != Empty {
				p.Code = "K7QM-2XRD"
			}
			return p
		}},
		{"bedside-setup", groupSignIn, func(s State) pages.Page {
			p := pages.BedsideSetup{
				Frame: out(s, pages.FieldError{Field: "password", Key: pages.ErrPasswordKnown}), Action: Prefix, Name: names(s).Patient,
				Witness: names(s).Nurse, Password: true, Replaces: s == Long, Shared: s == Long,
			}
			if s != Empty {
				p.Passkey = cannedPasskey()
			}
			return p
		}},
		{"bedside-wait", groupSignIn, func(s State) pages.Page {
			p := pages.BedsideWait{Frame: out(s, general()), Action: Prefix, Numbers: []pages.BedsideNumber{{Name: names(s).Nurse, Number: "123456", Done: s == Long}}}
			if s == Long {
				p.Numbers = append(p.Numbers, pages.BedsideNumber{Number: "654321"})
			}
			return p
		}},
		{"bedside-done", groupSignIn, func(s State) pages.Page {
			p := pages.BedsideDone{Frame: out(s, general()), Action: Prefix, Username: "p-k7qm2xrd", Key: s == Empty, MayPrint: s == Normal}
			if s == Long {
				p.Codes = []string{"0123-4567-89AB-CDEF", "GHJK-MNPQ-RSTV-WXYZ"}
			}
			return p
		}},
	}
}
