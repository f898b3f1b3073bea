package app_test

import (
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/internal/testpg"
)

// No request needs a second connection while it holds one: with the only connection of
// a node in its hand it would wait for itself, and as many at once as there are
// connections would wait for each other.
func TestNoRequestHoldsTwoConnections(t *testing.T) {
	dsn := testpg.Start(t)
	s := teller{start(t, func(c *app.Config) { c.Database, c.DatabaseConnections = dsn, 1 }), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	s.says(s.fill(rosa, "/people/"+bea.id+"/worry", "yes", nil), "rests now")
	s.says(s.fill(hale, "/staff/people/"+bea.id+"/release", "yes", nil), "helps Rosa Alvarez until")
	s.says(s.fill(hale, "/staff/people/"+bea.id+"/hold", "yes", nil), "rests now")
	s.says(s.fill(rosa, "/people/"+bea.id+"/revoke", "yes", nil), "You ended the access of Bea Brook.")
}
