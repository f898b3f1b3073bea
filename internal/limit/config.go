package limit

import "github.com/mandate-health/mandate/internal/config"

// Config is the ceilings, in requests per second (Register: per hour) over all nodes; 0 switches one
// off. Twice as many may come at once. The defaults only stop what has run wild.
type Config struct {
	// Client is for one authenticated client at token, introspection,
	// revocation and launch endpoints.
	Client int `name:"limit-client" key:"client" default:"50000" help:"Requests per second of one app or service, over all nodes; 0 for no limit." placeholder:"N"`
	// Person is for one person: what apps ask with the tokens of all connections,
	// and the authorization requests of the person's browsers.
	Person int `name:"limit-person" key:"person" default:"50000" help:"Requests per second about one person's connections, over all nodes; 0 for no limit." placeholder:"N"`
	// Patient is for the FHIR requests of all tokens that are bound to one patient's
	// record.
	Patient int `name:"limit-patient" key:"patient" default:"50000" help:"FHIR requests per second with tokens of one patient's record, over all nodes; 0: no limit." placeholder:"N"`
	// ExportRecords only tells: an event is raised when one client exports more.
	ExportRecords int `name:"export-spike" key:"export_spike" default:"1000000" help:"Records a service may export in an hour before an event tells; 0: none." placeholder:"N"`
	// Network is for one address (IPv6: one /64) at those, at the
	// authorization endpoint and at the FHIR base.
	Network int `name:"limit-network" key:"network" default:"50000" help:"Requests per second from one address (IPv6: one /64), over all nodes; 0 for no limit." placeholder:"N"`
	// SignIn is for one address at the log-in pages; failed tries are counted
	// apart and more strictly, and a device on which somebody signed in before has a
	// small measure of its own.
	SignIn int `name:"limit-signin" key:"sign_in" default:"100" help:"Log-ins tried per second from one address, known devices apart; 0 for no limit." placeholder:"N"`
	// Register is for one address at the registration endpoint.
	Register int `name:"limit-register" key:"register" default:"60" help:"Registrations of clients per hour from one address, over all nodes; 0 for no limit." placeholder:"N"`
}

// Validate reports every fault of the settings.
func (c *Config) Validate() error {
	var f config.Faults
	judge := func(key string, n int) {
		if n < 0 || n > 1000000 {
			f.Add(key, "%d is not between 0 and 1000000 requests per second", n)
		}
	}
	judge("client", c.Client)
	judge("person", c.Person)
	judge("patient", c.Patient)
	if c.ExportRecords < 0 {
		f.Add("export_spike", "%d is negative", c.ExportRecords)
	}
	judge("network", c.Network)
	judge("sign_in", c.SignIn)
	judge("register", c.Register)
	return f.Err()
}
