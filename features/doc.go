// Package features is the feature store. It counts events in profiles, keeps the profiles in Redis,
// and turns the facts about a candidate into inputs of the network: for the consumer that folds
// events, and for the scorer and fit that read profiles. The one invariant: what a profile holds is
// a function of the set of events alone. Neither the order in which partitions are folded, nor
// repeats, nor crashes change it, and Memory and Redis hold the same, field by field.
//
// # Configuration
//
// The features section of the configuration declares three kinds of inputs.
//
//	features:
//	  context: ["*"]            # every field of a request's context (the default), or names; "geo.*" takes all below geo
//	  drop: [session_id]        # never taken
//	  profiles:
//	    - {entity: user, aggregate: count, event: click, window: 1h}                       # user.click_count_1h
//	    - {entity: ad, aggregate: ratio, event: click, over: impression, window: 7d, prior: 0.01, weight: 100}
//	    - {entity: user, aggregate: recency, event: impression}                            # user.impression_recency, in seconds
//	    - {entity: user, aggregate: last, event: page, value: context.category}            # user.page_last_category
//	    - {entity: "user*campaign", aggregate: count, event: impression, half_life: 1d}    # user*campaign.impression_count_half_1d
//	    - {entity: context.job, aggregate: sum, event: conversion, value: value, window: 1d, name: job_revenue_1d}
//	  cross:
//	    - [device, campaign]      # device*campaign
//	  shown:
//	    - {name: position, serve: 1}                             # scored as 1, learned as the impression's property
//	    - {name: slot, from: context.page.slot, serve: top}
//
// A profile belongs to an entity: user (or the anonymous id without a user), ad, campaign,
// user*campaign, or context.NAME, which has one profile for each value of that context field. An
// event counts for the entities that it names.
//
// The settings event and over name a type of events, or the name that an SDK gave to a call:
// "Product Viewed" counts the track calls of that name, and "Pricing" the pages and screens, while
// track and page count all of them (event.Event.Name).
//
// An aggregate is one of
//
//   - count: how many events. Without window and half_life it counts from the first event on.
//   - sum: the total of value over the events that have it, as a number or as a text that is one
//     ("12.54"), kept in millionths.
//   - ratio: (events + prior*weight) / (over + weight), both counted over the same window.
//   - recency: seconds since the last event.
//   - last: the value that the last event had, as string or number.
//
// A value is "value" (the event's money), "ad", "campaign", "channel", "source", "context.NAME" or
// "properties.NAME".
//
// A window is a sawtooth: its head is exact, and its tail ends on the edge of a tile. Tiles are 5
// minutes long for windows below 12 hours, 1 hour below 12 days, and 1 day above. At time t, a
// window W of tiles h holds the events from floor((t-W)/h)*h to the end of t's own tile: at least W
// and less than W+h. With half_life H, an event of age a weighs 2^(-a/H). Its age counts from the
// middle of its tile, and events older than 8 half-lives are left out. The tiles are those of a
// window of 8 H.
//
// The name of a feature is ENTITY.EVENT_AGGREGATE_WINDOW, unless name gives another. Names are
// unique.
//
// # Facts of a candidate
//
// Assemble lists the facts of one candidate in a fixed order: shown facts with the values that are
// served; the request's context in its own order; the rest of the candidate's context; ad and
// campaign; the aggregates as declared; the crosses as declared. Where request and candidate both
// name a field, the candidate's value stands in the request's place.
//
// An entity without an id has no aggregates. An entity that was never seen has counts of 0, ratios
// of their prior, and neither recency nor last (null). When profiles could not be read, all
// aggregates are null, because unknown is not zero. Encode alone turns facts into inputs of the
// network.
//
// # Folding
//
// Set.Updates turns an event into Ops on fields of profiles, without any other effect. Store.Apply
// folds them. It keeps each partition's position beside the profiles, and in each profile the
// highest offset that was folded from each source partition.
//
// Each kind of aggregate is one file, listed in the table kinds. Each kind of Op is one file too,
// listed in opKinds: it says how Ops merge and how they are folded in memory and in Redis.
package features
