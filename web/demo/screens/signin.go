package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

const groupSignIn = "screens.group.signin"

func signInScreens() []Screen {
	return []Screen{
		{"sign-in", groupSignIn, func(s State) pages.Page {
			p := pages.SignIn{Frame: out(s, pages.FieldError{Field: "username", Key: pages.ErrSignIn})}
			if s == Error || s == Long {
				p.Username = "elena.konstantinopoulou"
			}
			if s != Empty {
				p.Passkey = cannedPasskey()
			}
			return p
		}},
		{"sign-in-for-app", groupSignIn, func(s State) pages.Page {
			p := pages.SignIn{CanCancel: true, AppName: names(s).App, Next: "x"}
			if s == Expired {
				p.Work = &pages.Work{Token: "canned", Bits: 8}
			}
			p.Frame = out(s, pages.FieldError{Field: "username", Key: pages.ErrTooMany, Args: map[string]any{"count": 5}})
			return p
		}},
		{"second-factor", groupSignIn, func(s State) pages.Page {
			p := pages.SecondFactor{CanCancel: true, AppName: names(s).App}
			if s == Long {
				p.ApproveAction = Prefix
			}
			p.SendAction, p.Email, p.SMS = Prefix, s == Long || s == Error, s == Long
			p.Frame = out(s, pages.FieldError{Field: "code", Key: pages.ErrCode})
			if s == Empty {
				p.Frame.Notice = &pages.Notice{Tone: pages.Info, Key: pages.NoticeBetterFactor}
			}
			return p
		}},
		{"approve-wait", groupSignIn, func(s State) pages.Page {
			return pages.ApproveWait{Frame: out(s, pages.FieldError{Key: pages.ErrApprovalWaiting}), Action: Prefix, Ticket: "x", Number: "402917", OtherURL: "#"}
		}},
		{"approve", groupSignIn, func(s State) pages.Page {
			p := pages.Approve{Frame: in(s, names(s).Patient, pages.FieldError{Field: "number", Key: pages.ErrNumber}), Action: Prefix}
			if s != Empty {
				p.ID, p.Browser, p.System, p.Network, p.Country, p.At = "1", "Samsung Internet", "Android", "203.0.113.0/24", "ES", now()
			}
			return p
		}},
		{"leave", groupSignIn, func(s State) pages.Page {
			n := names(s)
			return pages.Leave{Frame: in(s, n.Patient, general()), AppName: n.App, Action: "/signout", StayURL: "/home"}
		}},
		{"signed-out", groupSignIn, func(s State) pages.Page {
			return pages.SignedOut{Frame: out(s, general())}
		}},
		{"home", groupSignIn, homeScreen},
		{"devices", groupSignIn, devicesScreen},
	}
}

func devicesScreen(s State) pages.Page {
	p := pages.Devices{Frame: in(s, names(s).Patient, general()), Action: "/devices", Apps: true}
	p.Sessions = []pages.SignedInDevice{{ID: "1", Browser: "Safari", System: "iPad", Here: true, Since: now().Add(-time.Hour), LastSeen: now()}}
	if s != Empty {
		p.Sessions = append(p.Sessions,
			pages.SignedInDevice{ID: "2", Browser: "Samsung Internet", System: "Android", Since: now().Add(-26 * time.Hour), LastSeen: now().Add(-20 * time.Minute)},
			pages.SignedInDevice{ID: "3", Shared: true, Since: now().Add(-40 * time.Minute), LastSeen: now().Add(-4 * time.Minute)})
		p.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSignedOutThere}
	}
	return p
}

// general is an error of the whole form.
func general() pages.FieldError { return pages.FieldError{Key: pages.ErrExpiredForm} }

func homeScreen(s State) pages.Page {
	n := names(s)
	p := pages.Home{Name: n.Proxy, Frame: in(s, n.Proxy, general())}
	if s == Long {
		p.ApproveURL = "#"
	}
	if s != Empty {
		p.Frame = proxyFrame(s, general())
		p.Records = proxyChoices(s)
	}
	return p
}

const groupStaff = "screens.group.staff"

func staffScreens() []Screen {
	return []Screen{
		{"staff-sign-in", groupStaff, func(s State) pages.Page {
			return pages.StaffSignIn{Frame: staff(out(s, pages.FieldError{Field: "username", Key: pages.ErrSignIn}))}
		}},
		{"staff-home", groupStaff, func(s State) pages.Page {
			n := names(s)
			p := pages.StaffHome{Name: n.Nurse, Frame: staff(in(s, n.Nurse, general()))}
			if s != Empty {
				p.Role = "palliative care nurse"
				p.Tasks = []pages.StaffTask{
					{Key: "staff.task.launch", URL: "#"}, {Key: "staff.task.clients", URL: "#"}, {Key: "staff.task.audit", URL: "#"},
				}
			}
			return p
		}},
		{"staff-pick-patient", groupStaff, staffPickScreen},
		{"staff-consent", groupStaff, staffConsentScreen},
	}
}

func staff(f pages.Frame) pages.Frame {
	f.Staff = true
	return f
}

func staffPickScreen(s State) pages.Page {
	n := names(s)
	p := pages.PickPatient{
		AppName: n.App, Search: true, Query: "alv",
		Frame: staff(in(s, n.Nurse, pages.FieldError{Field: "patient", Key: pages.ErrChoose})),
	}
	if s == Empty {
		p.Query = "zzz"
		return p
	}
	p.More = true
	p.Choices = []pages.PatientChoice{
		{Value: "1", Name: n.Patient, BirthDate: "1947-03-02", RecordNumber: "100 234"},
		{Value: "2", Name: "Ramón Alvarado", BirthDate: "1951-11", RecordNumber: "100 871"},
		{Value: "3", Name: "Ruth Alvin", BirthDate: "1939", RecordNumber: "100 007"},
	}
	return p
}
