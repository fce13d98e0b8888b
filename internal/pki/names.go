package pki

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// addressesMax bounds the interface addresses in the server's certificate: a
// machine with hundreds of containers must not make it too large for a device.
const addressesMax = 16

// names is what the server's certificate says that the server is called.
type names struct {
	dns []string
	ips []netip.Addr
}

// namesOf sorts hosts into names and addresses. Each name brings two wildcards,
// *.name and *.s3.name, so that buckets can be host names.
func namesOf(hosts []string) names {
	var n names
	for _, host := range hosts {
		host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[] "), "."))
		if ip, err := netip.ParseAddr(host); err == nil {
			n.addIP(ip)
		} else if isHostName(host) {
			n.addName(host)
		}
	}
	return n
}

func (n *names) addIP(ip netip.Addr) {
	ip = ip.Unmap().WithZone("")
	if !slices.Contains(n.ips, ip) {
		n.ips = append(n.ips, ip)
	}
}

func (n *names) addName(host string) {
	if slices.Contains(n.dns, host) {
		return
	}
	n.dns = append(n.dns, host)
	if !strings.HasPrefix(host, "*.") {
		n.dns = append(n.dns, "*."+host, "*.s3."+host)
	}
}

// isHostName lets through what may stand in a certificate and be looked up;
// underscores are against the letter and common in practice.
func isHostName(host string) bool {
	if host == "" || len(host) > 240 { // 253 with the longest wildcard in front
		return false
	}
	for _, label := range strings.Split(strings.TrimPrefix(host, "*."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// covers says whether a certificate has all the names.
func (n names) covers(dns []string, ips []net.IP) bool {
	for _, name := range n.dns {
		if !slices.Contains(dns, name) {
			return false
		}
	}
	for _, ip := range n.ips {
		if !slices.ContainsFunc(ips, func(have net.IP) bool { return have.Equal(ip.AsSlice()) }) {
			return false
		}
	}
	return true
}

// LocalHosts lists what this machine is called: localhost, its loopback
// addresses, its host name and the addresses of its interfaces, at most
// addressesMax of them and no link-local ones.
func LocalHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return hosts // the loopback is served; --host names the rest
	}
	return append(hosts, routable(addresses)...)
}

func routable(addresses []net.Addr) []string {
	var found []string
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil || prefix.Addr().IsLinkLocalUnicast() || prefix.Addr().IsLoopback() {
			continue
		}
		if found = append(found, prefix.Addr().String()); len(found) == addressesMax {
			break
		}
	}
	return found
}
