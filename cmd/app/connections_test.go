package app_test

import (
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/internal/testpg"
)

// tight starts a server whose node has one connection to its database.
func tight(t *testing.T) teller {
	t.Helper()
	dsn := testpg.Start(t)
	return teller{start(t, func(c *app.Config) { c.Database, c.DatabaseConnections = dsn, 1 }), t}
}

// No request needs a second connection while it holds one: with the only connection of
// a node in its hand it would wait for itself, and as many at once as there are
// connections would wait for each other.
func TestNoRequestHoldsTwoConnections(t *testing.T) {
	s := tight(t)
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	s.says(s.fill(rosa, "/people/"+bea.id+"/worry", "yes", nil), "rests now")
	s.says(s.fill(hale, "/staff/people/"+bea.id+"/release", "yes", nil), "helps Rosa Alvarez until")
	s.says(s.fill(hale, "/staff/people/"+bea.id+"/hold", "yes", nil), "rests now")
	s.says(s.fill(rosa, "/people/"+bea.id+"/revoke", "yes", nil), "You ended the access of Bea Brook.")
}

// Whether somebody who helps reads a mailbox is asked with each code that goes there.
func TestCodesByMailHoldOneConnection(t *testing.T) {
	s := tight(t)
	rosa := s.backedUp()
	b := s.NewBrowser(rosa.Person)
	s.types(b, s.asksFor(b, "email"), s.sentCode("email"))
}
