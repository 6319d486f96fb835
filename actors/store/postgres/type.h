/* actors/store/postgres/type.h: numbers of PostgreSQL's built-in types, which never change.
 *
 * Types of extensions (halfvec) have a number of their own in every database: leave it 0 and say
 * the type in the SQL ($1::halfvec). Source: PostgreSQL's src/include/catalog/pg_type.dat */
#ifndef EDDA_ACTORS_STORE_POSTGRES_TYPE_H
#define EDDA_ACTORS_STORE_POSTGRES_TYPE_H

enum edda_pg_type {
    EDDA_PG_ANY = 0, /* as the SQL says */
    EDDA_PG_BOOLEAN = 16,
    EDDA_PG_BYTEA = 17,
    EDDA_PG_NAME = 19,
    EDDA_PG_BIGINT = 20,
    EDDA_PG_SMALLINT = 21,
    EDDA_PG_INTEGER = 23,
    EDDA_PG_TEXT = 25,
    EDDA_PG_OID = 26,
    EDDA_PG_REAL = 700,
    EDDA_PG_DOUBLE = 701,
    EDDA_PG_VARCHAR = 1043,
    EDDA_PG_UUID = 2950,

    EDDA_PG_BOOLEAN_ARRAY = 1000,
    EDDA_PG_BYTEA_ARRAY = 1001,
    EDDA_PG_INTEGER_ARRAY = 1007,
    EDDA_PG_TEXT_ARRAY = 1009,
    EDDA_PG_BIGINT_ARRAY = 1016,
    EDDA_PG_UUID_ARRAY = 2951,
};

#endif
