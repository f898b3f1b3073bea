// Command mandate is the one binary: a SMART on FHIR authorization server.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mandate-health/mandate/cmd/app"
)

func main() {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// The first signal lets the server finish; a second one ends it at once, so
		// it is let through before anybody can see that the first one came.
		signal.Stop(signals)
		if len(signals) > 0 {
			os.Exit(1)
		}
		end()
	}()
	os.Exit(app.CLI(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
