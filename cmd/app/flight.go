package app

import "context"

// knownClient reports whether there is such a client.
func (a *App) knownClient(ctx context.Context, tenant, id string) bool {
	_, err := a.memory.ClientByID(ctx, tenant, id)
	return err == nil
}
