/* gateway/page.h: lists in pages: which page is wanted, and what stands behind its rows. */
#ifndef EDDA_GATEWAY_PAGE_H
#define EDDA_GATEWAY_PAGE_H

#include "gateway/visit.h"

/* ?page and ?page_size. False: the visit has been answered with 400. */
bool edda_page_read(struct edda_visit *visit, struct edda_store_page *ret_page);

/* ,"count":..., page, page_size, total_pages, next, previous: after the list's "]", to the end.
 * count: of all pages' rows. path: of the list, "/api/v1/memo". */
void edda_page_write_end(struct edda_visit *visit, const char *path,
                         const struct edda_store_page *page, uint64_t count);

#endif
