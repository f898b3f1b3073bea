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
	defer stop()
	os.Exit(app.CLI(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
