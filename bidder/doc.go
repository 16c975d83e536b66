// Package bidder answers bid requests of exchanges.
package bidder
