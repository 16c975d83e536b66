package run

// TrimEvery is trimEvery.
const TrimEvery = trimEvery
