/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * transfer URI upload|download VOLUME-PATH FILE: a file into a volume or back by
 * libvirt's C API, in pieces of 262,120 bytes (the longest payload of a message): MiB per
 * second.
 */
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE 262120

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int send_all(virStreamPtr stream, const char *data, size_t n)
{
    while (n) {
        int sent = virStreamSend(stream, data, n);
        if (sent < 0)
            return -1;
        data += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static int upload(virStorageVolPtr volume, virStreamPtr stream, int fd)
{
    static char piece[PIECE];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0 ||
        virStorageVolUpload(volume, stream, 0, (unsigned long long)st.st_size, 0) < 0)
        return -1;
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        if (send_all(stream, piece, (size_t)n) < 0)
            return -1;
    return n < 0 ? -1 : virStreamFinish(stream);
}

static int download(virStorageVolPtr volume, virStreamPtr stream, int fd)
{
    static char piece[PIECE];
    int n;

    if (virStorageVolDownload(volume, stream, 0, 0, 0) < 0)
        return -1;
    while ((n = virStreamRecv(stream, piece, sizeof(piece))) > 0)
        if (write(fd, piece, (size_t)n) != n)
            return -1;
    return n < 0 ? -1 : virStreamFinish(stream);
}

int main(int argc, char **argv)
{
    bool up = argc == 5 && strcmp(argv[2], "upload") == 0;

    if (argc != 5 || (!up && strcmp(argv[2], "download") != 0))
        return 2;
    virConnectPtr conn = virConnectOpen(argv[1]);
    virStorageVolPtr volume = conn ? virStorageVolLookupByPath(conn, argv[3]) : NULL;
    virStreamPtr stream = volume ? virStreamNew(conn, 0) : NULL;
    int fd = open(argv[4], up ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct stat st = {0};

    if (!stream || fd < 0)
        return 1;
    double begun = now();
    if ((up ? upload : download)(volume, stream, fd) < 0 || fstat(fd, &st) < 0)
        return 1;
    printf("%.1f\n", (double)st.st_size / (1 << 20) / (now() - begun));
    close(fd);
    virStreamFree(stream);
    virStorageVolFree(volume);
    virConnectClose(conn);
    return 0;
}
