package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mandate-health/mandate/oauth/flight"
)

// clientRequests shows a client's flight recorder.
type clientRequests struct {
	storeFlags
	Tenant string `default:"default" help:"Tenant of the client (default ${default})." placeholder:"ID"`
	Count  int    `default:"20" help:"How many requests at most (default ${default})."`
	JSON   bool   `name:"json" help:"Print as JSON."`
	Client string `arg:"" help:"The client_id."`
}

// Run prints the requests, the latest first.
func (c *clientRequests) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if _, err := a.store.ClientByID(s.ctx, c.Tenant, c.Client); err != nil {
			return err
		}
		// Inside a running server some may not be in the store yet.
		recent := a.store.Records
		if a.flights != nil {
			recent = a.flights.Recent
		}
		records, err := recent(s.ctx, c.Tenant, c.Client, c.Count)
		if err != nil {
			return err
		}
		if c.JSON {
			out := json.NewEncoder(s.out)
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			return out.Encode(flight.Show(records, strings.TrimPrefix(errorDocs, "/")))
		}
		if len(records) == 0 {
			fmt.Fprintf(s.out, "no request of %s in the last 14 days\n", c.Client)
		}
		for _, r := range records {
			printRecord(s.out, r)
		}
		return nil
	})
}

// printRecord prints one request: what, how it went, and what to do about it.
func printRecord(w io.Writer, r flight.Record) {
	fmt.Fprintf(w, "%s  %s %s", r.At.Format(time.RFC3339), r.Act, r.Outcome)
	for _, part := range []string{r.GrantType, r.Method, r.Type, r.Cause} {
		if part != "" {
			fmt.Fprint(w, "  "+part)
		}
	}
	fmt.Fprintf(w, "  request %s\n", r.RequestID)
	if hint := flight.Hint(r.Cause); hint != "" {
		fmt.Fprintf(w, "    %s\n", hint)
	}
	for _, e := range r.Explained {
		became := ""
		if len(e.Became) > 0 {
			became = ", became " + strings.Join(e.Became, " ")
		}
		fmt.Fprintf(w, "    %s: %s%s. %s\n", e.Scope, e.Cause, became, flight.Hint(e.Cause))
	}
}
