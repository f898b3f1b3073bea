package screens

import "github.com/mandate-health/mandate/web/pages"

// cannedPasskey is a form whose challenge nobody can answer.
func cannedPasskey() pages.Passkey {
	return pages.Passkey{Action: Prefix, Options: `{"challenge":"AAAA"}`, Next: "x"}
}

// cannedSecret is that of no code app: the example of RFC 6238.
const cannedSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" //nolint:gosec // it opens nothing

// cannedPicture is a PNG of one pixel; the size on the page is given there.
func cannedPicture() []byte {
	return []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\b\x00\x00\x00\x00:~\x9bU" +
		"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82")
}

// factorScreens lists the pages around authenticators.
func factorScreens() []Screen {
	return append(codeScreens(), []Screen{
		{"second-factor-passkey", groupSignIn, func(s State) pages.Page {
			p := pages.SecondFactor{CanCancel: true, AppName: names(s).App, Passkey: cannedPasskey(), NoCode: s != Long}
			p.Frame = out(s, pages.FieldError{Key: pages.ErrPasskey})
			p.Recovery = s != Empty && s != Expired
			p.Passkey.Bound = s == Expired
			return p
		}},
		{"factors", groupPatient, func(s State) pages.Page {
			p := pages.Factors{Frame: in(s, names(s).Patient, general()), AddURL: "#", AppURL: "#", CodesURL: "#", LinkURL: "#"}
			if s == Empty {
				p.EmailURL, p.SMSURL = "#", "#"
				p.Need = pages.NeedSecond
			} else if s == Long {
				p.Need = pages.NeedBound
			}
			if s != Empty {
				p.Entries = factorEntries(s)
				p.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeFactorAdded}
			}
			return p
		}},
		{"link-elsewhere", groupPatient, func(s State) pages.Page {
			p := pages.LinkElsewhere{Frame: in(s, names(s).Patient, general())}
			p.BackURL = "/factors"
			if s != Empty {
				p.Elsewhere = []pages.Elsewhere{{Name: "Lakeside EHR", URL: "#"}}
			}
			return p
		}},
		{"add-passkey", groupPatient, func(s State) pages.Page {
			p := pages.AddPasskey{Frame: in(s, names(s).Patient, pages.FieldError{Field: "name", Key: pages.ErrFactorName}), Passkey: cannedPasskey()}
			p.BackURL = "/factors"
			if s == Error || s == Long {
				p.Name = names(Long).Patient
			}
			return p
		}},
		{"factor", groupPatient, func(s State) pages.Page {
			p := pages.OneFactor{Frame: in(s, names(s).Patient, pages.FieldError{Field: "name", Key: pages.ErrFactorName}), Entry: factorEntries(s)[2], Action: Prefix}
			p.BackURL, p.Entry.Locked = "/factors", s == Long
			if s != Empty {
				p.RemoveURL = "#"
			}
			return p
		}},
		{"remove-factor", groupPatient, func(s State) pages.Page {
			p := pages.RemoveFactor{Frame: in(s, names(s).Patient, pages.FieldError{Key: pages.ErrFactorLast}), Entry: factorEntries(s)[2], Action: Prefix}
			p.BackURL = "/factors"
			return p
		}},
	}...)
}

// codeScreens lists the pages of what is typed: codes and passwords.
func codeScreens() []Screen {
	return []Screen{
		{"add-app", groupPatient, func(s State) pages.Page {
			p := pages.AddCodeApp{Frame: in(s, names(s).Patient, pages.FieldError{Field: "code", Key: pages.ErrCode}), Action: Prefix,
				Secret: cannedSecret, Proof: "x", QR: cannedPicture()}
			p.BackURL = "/factors"
			return p
		}},
		{"change-password", groupPatient, func(s State) pages.Page {
			p := pages.ChangePassword{Frame: in(s, names(s).Patient, pages.FieldError{Field: "password", Key: pages.ErrPasswordKnown}), Action: Prefix}
			p.BackURL = "/factors"
			return p
		}},
		{"recovery-codes", groupPatient, func(s State) pages.Page {
			p := pages.RecoveryCodes{Frame: in(s, names(s).Patient, general()), Action: Prefix}
			p.BackURL = "/factors"
			switch s {
			case Normal:
				for range 10 {
					p.Codes = append(p.Codes, "7KQ2-M9XD-04BT-ZR8H")
				}
			case Empty:
			default:
				p.Left = 3
			}
			return p
		}},
	}
}

func factorEntries(s State) []pages.FactorEntry {
	tablet := "My tablet"
	if s == Long {
		tablet = "The old tablet with the cracked glass in the living room"
	}
	return []pages.FactorEntry{
		{Kind: "password", Created: ago(900), URL: "#"},
		{Kind: "totp", Created: ago(400), URL: "#"},
		{Kind: "passkey", Name: tablet, Created: ago(120), Used: ago(1), Synced: true, BackedUp: true, URL: "#"},
		{Kind: "recovery", Created: ago(30), Left: 8},
		{Kind: "passkey", Created: ago(3), Locked: s == Long, URL: "#"},
		{Kind: "email", Created: ago(20), Backup: true, URL: "#"},
		{Kind: "sms", Created: ago(0), From: now(), Ending: "0123", Backup: true, URL: "#"},
	}
}
