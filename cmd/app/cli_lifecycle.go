package app

import (
	"fmt"
	"text/tabwriter"

	"github.com/mandate-health/mandate/access/lifecycle"
)

// lifecycleCommand tells what can happen to the access of a person who helps.
type lifecycleCommand struct {
	List lifecycleList `cmd:"" default:"withargs" help:"List the events, who brings them about, and the page for it."`
}

type lifecycleList struct{}

// Run prints a line for each event.
func (c *lifecycleList) Run(s *streams) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROW\tWHO\tPAGE\tEVENT")
	for _, r := range lifecycle.Rows() {
		page := r.Path
		if page == "" {
			page = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Who, page, r.Event)
	}
	return w.Flush()
}
