# Built in one image, run in another that holds nothing but the program: static, as a user without rights.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=0.1.0
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /clickloop ./cmd/clickloop \
 && mkdir -p /data

FROM scratch
COPY --from=build /clickloop /clickloop
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
# where other commands in the container find what runs
ENV CLICKLOOP_DATA=/data
ENTRYPOINT ["/clickloop"]
# for trying out, without keys: publish the port with -p 127.0.0.1:8080:8080
CMD ["up", "--http", ":8080", "--insecure-public"]
