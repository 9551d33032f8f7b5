# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docker build -t virtgate .
# docker run --read-only -p 127.0.0.1:8080:8080 -v /run/libvirt:/run/libvirt \
#   --group-add "$(stat -c %g /run/libvirt/libvirt-sock)" virtgate --connect qemu:///system
#
# Inside a container loopback is of no use, so it listens on every address of the container and
# says in its log that it does so without tokens and TLS. Publish the port on loopback only, or
# give it both: --token-file, --tls-cert, --tls-key, and VIRTGATE_ALLOW_INSECURE=no. Clients that
# use a name for it (a service's, a proxy's) need VIRTGATE_ALLOWED_HOST=NAME; addresses do not.
FROM debian:12-slim AS build
COPY tests/setup.sh /src/tests/setup.sh
RUN /src/tests/setup.sh build
COPY . /src
WORKDIR /src
RUN make && strip build/virtgate && make install DESTDIR=/image

FROM debian:12-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl libarchive13 libcrypt1 libcurl3-gnutls libgnutls30 libinih1 libjansson4 \
        libmicrohttpd12 libnbd0 libpcre2-8-0 libpng16-16 libsystemd0 libvirt0 libwslay1 libxml2 libxxhash0 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin virtgate
COPY --from=build /src/build/virtgate /usr/local/bin/virtgate
COPY --from=build /image/usr/local/share/doc/virtgate /usr/local/share/doc/virtgate
USER virtgate
ENV VIRTGATE_LISTEN=0.0.0.0:8080 VIRTGATE_ALLOW_INSECURE=yes HOME=/tmp
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s \
    CMD curl -fsS -o /dev/null "http://127.0.0.1:8080$VIRTGATE_PATH_PREFIX/health/live"
ENTRYPOINT ["virtgate"]
