package app

import (
	"fmt"
	"log/slog"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/oauth/registration"
)

// clientCommand manages registrations from the command line.
type clientCommand struct {
	Add      clientAdd      `cmd:"" help:"Register the clients of a JSON file, change them, or enable them again."`
	Invite   clientInvite   `cmd:"" help:"Make an initial access token, with which one client registers itself."`
	List     clientList     `cmd:"" help:"List the clients, or those that wait for approval."`
	Approve  clientApprove  `cmd:"" help:"Let a client that waits for approval work."`
	Refuse   clientRefuse   `cmd:"" help:"Refuse a client that waits for approval, and delete it."`
	Show     clientShow     `cmd:"" help:"Show what is registered of a client, as a client file would say it."`
	Edit     clientEdit     `cmd:"" help:"Change single members of a registration, such as client_name=Diary."`
	Rotate   clientRotate   `cmd:"" help:"Give a client a new secret beside the one before, or retire that one."`
	Profile  clientProfile  `cmd:"" help:"Hold a client to a security profile, from now on: fapi2."`
	Disable  clientDisable  `cmd:"" help:"Stop a client: its tokens are dead, and it gets no more."`
	Enable   clientEnable   `cmd:"" help:"Let a disabled client work again."`
	Delete   clientDelete   `cmd:"" help:"Delete a client for good."`
	Requests clientRequests `cmd:"" help:"Show the last requests of a client with the cause of each refusal."`
}

type clientAdd struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant at which the clients are registered (default ${default})." placeholder:"ID"`
	Loosen bool   `help:"Let the file ask less of a client than it is asked now, such as not to push its requests any more."`
	File   string `arg:"" help:"JSON list of clients, as for --client of serve." type:"existingfile"`
}

// files implements filing.
func (c *clientAdd) files() (reads []string, makes string) { return []string{c.File}, "" }

// Run registers the clients, each with its audit event, in one transaction.
func (c *clientAdd) Run(s *streams) error {
	raw, err := s.ReadFile(s.ctx, c.File)
	if err != nil {
		return fmt.Errorf("the client file %s cannot be read: %w", c.File, err)
	}
	files := clientFiles{registration.Rules{Operator: true}, slog.New(slog.NewTextHandler(s.err, nil))}
	list, err := files.parse(raw, c.File)
	if err != nil {
		return err
	}
	return c.with(s, func(a *App) error {
		hasher, err := a.tenantHasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		by, err := a.requireOperator(s, operator.Need{
			Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "client add",
		})
		if err != nil {
			return err
		}
		clients, err := files.filed(list, c.Tenant, hasher)
		if err != nil {
			return err
		}
		for i := range clients {
			clients[i].Loosen = c.Loosen
		}
		if err := a.register(s.ctx, clients, true, by); err != nil {
			return err
		}
		for _, v := range clients {
			fmt.Fprintf(s.out, "client %s registered at tenant %s\n", v.ID, c.Tenant)
		}
		return nil
	})
}
