package demo

import (
	"net/http"
	"strings"
)

// Person is an account of the demonstration: everybody may know how to sign in.
type Person struct {
	Username, Name, Role, Password string
	// Code gives what the account's code app would show now; nil where a password is
	// enough.
	Code func() string
}

// Case is one person's way to the record of another, as it stands after the start.
type Case struct {
	// Helper and Patient are names, State is where it stands.
	Helper, Patient, State string
	// Words stand on the page of the first of As.
	Words string
	// As are the usernames of those who can look at it.
	As []string
}

// circle is everybody who helps one patient.
type circle struct {
	Patient string
	Cases   []Case
}

type peoplePage struct {
	frame
	Issuer  string
	Circles []circle
	People  []Person
}

// people tells who can sign in, and who shows what.
func (s *server) people(w http.ResponseWriter, _ *http.Request) {
	page := peoplePage{frame: ehrFrame("People of the demonstration", "/people/"), Issuer: s.cfg.Issuer, People: s.cfg.People}
	page.Product = "Mandate demonstration"
	for _, c := range s.cfg.Cases {
		if n := len(page.Circles); n == 0 || page.Circles[n-1].Patient != c.Patient {
			page.Circles = append(page.Circles, circle{Patient: c.Patient})
		}
		last := &page.Circles[len(page.Circles)-1]
		last.Cases = append(last.Cases, c)
	}
	s.render(w, http.StatusOK, "people", s.ehrPolicy, page)
}

// Names joins usernames, for a data attribute.
func (c Case) Names() string { return strings.Join(c.As, " ") }
