package clientauth

import (
	"net/netip"
	"slices"
	"syscall"

	"github.com/mandate-health/mandate/internal/errs"
)

// refusePrivate stops a connection to any address that is not public. It
// sees the address after name resolution, so a name cannot hide it.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !public(ap.Addr()) {
		return errs.New(errs.InvalidClient, "jwks-address", "The key set lies at an address that is not public.")
	}
	return nil
}

// public reports whether an address may be anybody's on the Internet: not this
// machine's, not this network's, and not one through which a gateway would reach
// either. Of IPv6 that is the one block from which addresses are given out, so
// that what IANA has not opened yet stays shut.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is6() && !given.Contains(ip) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// given is the block of IPv6 from which addresses of the Internet come (RFC 4291
// §2.4). What lies outside is special: ::/96 and ::ffff:0:0:0/96 (embedded IPv4),
// 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), 100::/64 (discard), 5f00::/16 (segments),
// fc00::/7, fe80::/10 and fec0::/10 (this network).
var given = netip.MustParsePrefix("2000::/3")

// special are the rows of IANA's registries of special-purpose addresses that
// count as global unicast here and yet are not public, among them the ranges
// that embed IPv4 addresses (RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), // relays of 6to4, withdrawn (RFC 7526)
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), // protocols, among them Teredo
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("3ffe::/16"), // the 6bone, returned (RFC 3701)
	netip.MustParsePrefix("3fff::/20"), // documentation (RFC 9637)
}
