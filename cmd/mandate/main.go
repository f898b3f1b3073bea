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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal lets the server finish; a second one ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(app.CLI(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
